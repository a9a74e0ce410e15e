"""What users get wrong is said at once: the thing, the reason and the cure, and never a key."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from costspan.core.completion import acompletion, completion
from costspan.core.endpoint import Endpoint
from costspan.core.errors import (
    APIConnectionError,
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
)
from costspan.core.keyring import KeyRing
from costspan.core.plan import DEFAULT_TIMEOUT_S

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
NOBODY = "http://127.0.0.1:9"  # where nobody listens


@pytest.mark.parametrize("value", ["Bearer tok-9f3a\n", " Bearer tok-9f3a", "Bearer tok-9f3a\xe9"])
def test_headers_that_cannot_be_sent_are_named_and_not_quoted(value: str) -> None:
    with pytest.raises(BadRequestError, match="'authorization' and its value must be") as caught:
        completion("openai/m", HELLO, base_url=NOBODY, extra_headers={"authorization": value})
    assert "tok-9f3a" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"timeout": 0}, "timeout=0: it must be more than 0 seconds"),
        ({"timeout": -1.5}, "timeout=-1.5: it must be"),
        ({"timeout": "30"}, "timeout='30': it must be"),
        ({"policy": 3}, "policy must be a costspan.Policy"),
        ({"extra_body": [1]}, "extra_body must be a mapping"),
        ({"extra_headers": ["x"]}, "extra_headers must be a mapping"),
        ({"extra_headers": {"x": 5}}, "extra_headers: 'x' and its value must be texts"),
        ({"base_url": 5}, "base_url must be a text"),
        ({"fallbacks": [5]}, "fallbacks must be models"),
    ],
)
def test_arguments_of_a_wrong_kind(arguments: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"base_url": NOBODY, "api_key": "k", **arguments}
    with pytest.raises(BadRequestError, match=re.escape(said)):
        completion("openai/m", HELLO, **given)


def test_a_refused_connection_says_where() -> None:
    where = "http://who:tok-9f3a@127.0.0.1:9/v1"
    with pytest.raises(
        APIConnectionError, match=r"openai.* at 127\.0\.0\.1:9 \(.*refused"
    ) as caught:
        completion("openai/m", HELLO, base_url=where, api_key="k", num_retries=0)
    assert "tok-9f3a" not in str(caught.value)


def test_a_connection_is_waited_for_in_seconds_and_an_answer_in_minutes() -> None:
    assert DEFAULT_TIMEOUT_S == (10, 600, 600, 600)  # connect, read, write, pool


PAGES = [b"<html><body>Welcome</body></html>", b"", b'{"id": "x"', b"data: [1]\n\n"]


@pytest.mark.parametrize("page", PAGES)
async def test_a_stream_that_is_none_is_an_error(page: bytes, frame_server: FrameServer) -> None:
    kind = {"content-type": "text/event-stream" if page.startswith(b"data") else "text/html"}
    frame_server.script(CHAT, headers=kind, frames=[page])
    given: Any = {"base_url": f"{frame_server.url}/v1", "api_key": "k", "stream": True}
    with pytest.raises(APIResponseValidationError, match="no chat completion: check base_url"):
        list(completion("openai/m", HELLO, **given))
    stream: Any = await acompletion("openai/m", HELLO, **given)
    with pytest.raises(APIResponseValidationError, match="no chat completion: check base_url"):
        [chunk async for chunk in stream]


FAN_OUT = """
import sys
from costspan.core.completion import completion
hello = [{"role": "user", "content": "Hi"}]
completion("anthropic/m", hello, base_url=sys.argv[1], api_key="k", n=3)
"""


def test_a_program_ends_after_a_ctrl_c_in_a_fan_out(frame_server: FrameServer) -> None:
    frame_server.script("/v1/messages", delay_s=20)
    command = [sys.executable, "-c", FAN_OUT, frame_server.url]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 10
    while len(frame_server.requests) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT


def test_one_key_is_one_key() -> None:
    assert len(KeyRing("tok-9f3a")) == 1


def test_an_endpoint_of_ones_own_as_people_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTRANET_LLM_KEY", raising=False)
    variable: Any = "INTRANET_LLM_KEY"
    wrong: Any = {"intranet": NOBODY}
    own = {"intranet": Endpoint("intranet", base_url=NOBODY, key=variable)}
    with pytest.raises(AuthenticationError, match="set INTRANET_LLM_KEY, or pass api_key="):
        completion("intranet/m", HELLO, endpoints=own)
    with pytest.raises(BadRequestError, match=r"endpoints\['intranet'\] must be .*Endpoint"):
        completion("intranet/m", HELLO, endpoints=wrong)
