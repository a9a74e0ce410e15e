"""Signatures for Bedrock, checked against the steps that AWS describes."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_wire import signature_v4

from costspan.core.completion import completion
from costspan.core.errors import AuthenticationError, BadRequestError
from costspan.core.sigv4 import signature

if TYPE_CHECKING:
    from tests.conftest import FrameServer

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"
CLAUDE = f"{HOST}/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
MINUTE = timedelta(minutes=1)
ARN = (
    f"{HOST}/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3A"
    "application-inference-profile%2Fa1b2c3/converse-stream"
)


@pytest.fixture(autouse=True)
def _no_aws_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.mark.parametrize("token", [None, "FwoGZXIvYXdzEXAMPLE=="])
@pytest.mark.parametrize(
    ("url", "given", "region"),
    [
        (CLAUDE, None, "us-east-1"),
        (ARN, None, "us-east-1"),
        ("https://gateway.example:8443/aws/model/m%3A0/converse", "eu-central-1", "eu-central-1"),
        ("https://gateway.example/model/m/converse?a=1&b=%20", "eu-central-1", "eu-central-1"),
        # The host's own region is the only one that its server takes.
        (CLAUDE, "eu-west-1", "us-east-1"),
        (
            "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/model/m/converse",
            None,
            "us-gov-west-1",
        ),
        (
            "https://vpce-1-2.bedrock-runtime.eu-west-3.vpce.amazonaws.com/model/m/converse",
            None,
            "eu-west-3",
        ),
        (
            "https://bedrock-runtime.us-east-1.amazonaws.com.evil.example/m",
            "sa-east-1",
            "sa-east-1",
        ),
    ],
)
def test_signature(
    url: str,
    given: str | None,
    region: str,
    token: str | None,
    keys: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    body = '{"messages":[{"role":"user","content":[{"text":"Größe 🎈"}]}]}'.encode()
    signed = signature(url, body, region=given)
    date = signed["x-amz-date"]
    assert abs(datetime.strptime(f"{date}+0000", "%Y%m%dT%H%M%SZ%z") - datetime.now(UTC)) < MINUTE
    assert signed["authorization"] == signature_v4(
        url, body, key_id=KEY_ID, secret=SECRET, token=token, date=date, region=region
    )
    assert signed.get("x-amz-security-token") == token


@pytest.mark.parametrize("model", ["anthropic.claude-x-v1:0", "arn:aws:bedrock:r:1:profile/a~b"])
def test_what_arrives_is_what_was_signed(
    model: str, keys: None, monkeypatch: pytest.MonkeyPatch, frame_server: FrameServer
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", frame_server.url)
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    path = f"/model/{model.replace(':', '%3A').replace('/', '%2F')}/converse"
    answer = {"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn"}
    frame_server.json(path, answer)
    completion(f"bedrock/{model}", [{"role": "user", "content": "Hello"}])
    (request,) = frame_server.requests
    assert request.path == path
    assert request.headers["authorization"] == signature_v4(
        f"http://{request.headers['host']}{request.path}",
        request.body,
        key_id=KEY_ID,
        secret=SECRET,
        token=None,
        date=request.headers["x-amz-date"],
        region="eu-west-2",
    )


def test_a_bearer_key_goes_before_a_signature(
    keys: None, monkeypatch: pytest.MonkeyPatch, frame_server: FrameServer
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", frame_server.url)
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-1")
    frame_server.json("/model/m/converse", {"output": {"message": {"content": []}}})
    completion("bedrock/m", [{"role": "user", "content": "Hello"}])
    (request,) = frame_server.requests
    assert request.headers["authorization"] == "Bearer bedrock-api-key-1"
    assert "x-amz-date" not in request.headers


def test_a_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        "[work]\naws_access_key_id = AKIDWORK\naws_secret_access_key = s\n"
    )
    (tmp_path / "config").write_text("[profile work]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    signed = signature("https://gateway.example/model/m/converse", b"{}", region=None)
    assert "Credential=AKIDWORK/" in signed["authorization"]
    assert "/ap-south-1/bedrock/aws4_request" in signed["authorization"]


def test_keys_that_change_in_the_environment_count_at_once(
    keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"Credential={KEY_ID}/" in signature(CLAUDE, b"", region=None)["authorization"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    assert "Credential=AKIDOTHER/" in signature(CLAUDE, b"", region=None)["authorization"]


def test_credentials_are_refreshed_before_they_expire_and_kept_otherwise(tmp_path: Path) -> None:
    tool = tmp_path / "tool.py"
    tool.write_text(
        "import datetime, json, pathlib\n"
        f"count = pathlib.Path({str(tmp_path / 'count')!r})\n"
        "n = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(n))\n"
        # botocore refreshes from 15 minutes before the end.
        "left = datetime.timedelta(minutes=12 if n == 1 else 60)\n"
        "until = (datetime.datetime.now(datetime.UTC) + left).isoformat()\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'AKID{n}', 'SecretAccessKey': 's',"
        " 'SessionToken': 't', 'Expiration': until}))\n"
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {tool}\n")
    for _ in range(3):
        assert "Credential=AKID2/" in signature(CLAUDE, b"", region=None)["authorization"]
    assert (tmp_path / "count").read_text() == "2"


def test_no_credentials_names_the_variables() -> None:
    with pytest.raises(AuthenticationError) as caught:
        signature(CLAUDE, b"", region=None)
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "api_key="):
        assert name in str(caught.value)
    assert caught.value.provider == "aws"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AWS_ACCESS_KEY_ID", KEY_ID, "AWS_SECRET_ACCESS_KEY"),
        ("AWS_PROFILE", "nobody", "nobody"),
    ],
)
def test_credentials_that_cannot_be_used(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(AuthenticationError, match=said) as caught:
        signature(CLAUDE, b"", region=None)
    assert caught.value.__cause__ is not None


def test_no_region(keys: None) -> None:
    with pytest.raises(BadRequestError, match="AWS_REGION"):
        signature("https://gateway.example/model/m/converse", b"", region=None)


def test_no_secret_in_what_is_shown(keys: None, frame_server: FrameServer) -> None:
    with pytest.raises(BadRequestError) as caught:
        signature("https://gateway.example/model/m/converse", b"", region=None)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert SECRET not in shown
    assert SECRET not in repr(signature(CLAUDE, b"", region=None))


def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = None
    monkeypatch.setitem(sys.modules, "botocore", module)
    with pytest.raises(BadRequestError, match=r"pip install 'costspan\[bedrock\]'"):
        signature(CLAUDE, b"", region=None)
