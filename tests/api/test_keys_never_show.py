"""A key shows nowhere: in no reply, error, log line, record, span or file, however a call ends."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_wire
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from streams import BODIES, RECORDED
from wire import EMBEDDING_BODY, sse

import costspan
from costspan import meter as meters
from costspan.core.errors import APIError
from costspan.core.stream import Stream
from costspan.exporters.otel import OTelExporter

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI = [{"role": "user", "content": "Hi"}]
# Of no provider's shape, so that nothing but knowing them keeps them out.
KEY, OTHER_KEY = "zebra-5f2c81d0e7", "walrus-90aa31b7c4"
AWS_SECRET, AWS_TOKEN = "otter/77d1c0+8e6b2f", "badger-token-16d09c55"
SECRETS = (KEY, OTHER_KEY, AWS_SECRET, AWS_TOKEN)
ONCE = costspan.Policy(max_retries=0)
NOBODY = "http://127.0.0.1:9"  # where nobody listens
LOGGERS = ("botocore", "costspan", "httpcore", "httpx")
AGAIN = costspan.Policy(max_retries=1, first_wait_s=0.001, max_wait_s=0.002)


@dataclass(frozen=True)
class Way:
    """A way for a key to travel.

    Attributes:
        model, path, base: How it is asked, the path of the request, what the base URL has.
        recorded: The name of the recorded answer.
        header: The header that carries the key or the signature.
        key: The key; None where the environment holds credentials to sign with.
    """

    model: str
    path: str
    base: str
    recorded: str
    header: str
    key: str | None = KEY

    @property
    def streamed(self) -> str:
        """The path of a streamed request."""
        return RECORDED[self.recorded].path if self.recorded != "chat" else self.path


WAYS = {
    "bearer": Way("openai/m", "/v1/chat/completions", "/v1", "chat", "authorization"),
    "x-api-key": Way("anthropic/m", "/v1/messages", "", "messages", "x-api-key"),
    "x-goog-api-key": Way(
        "gemini/m", "/v1beta/models/m:generateContent", "/v1beta", "gemini", "x-goog-api-key"
    ),
    "api-key": Way("azure/m", "/openai/deployments/m/chat/completions", "", "chat", "api-key"),
    "aws": Way("bedrock/m", "/model/m/converse", "", "converse", "authorization", None),
}
EACH = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


class Shown:
    """All that a user or an operator may come to see of calls."""

    def __init__(self, home: Path, log: pytest.LogCaptureFixture) -> None:
        self._home = home
        self._log = log
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self._memory = costspan.InMemoryExporter()
        self._texts: list[str] = []
        self.errors: list[APIError] = []
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        otel = OTelExporter(tracer_provider=tracers, meter_provider=MeterProvider([self._metrics]))
        self.meter = costspan.Meter(home=home, exporters=["ledger", otel, self._memory])

    def call(self, function: Callable[..., Any], model: str, **arguments: Any) -> None:
        """Make a call, and take what the caller gets of it."""
        try:
            found = function(model, HI if function is not costspan.embedding else "Hi", **arguments)
            if asyncio.iscoroutine(found):
                found = asyncio.run(found)
            if isinstance(found, Stream):
                self._take(found)
                self._texts += [repr(chunk) for chunk in found]
                found = found.reply
            self._take(found)
            self._texts.append(repr(found.model_dump()))
        except APIError as error:
            self._take(error)
            self._texts += traceback.format_exception(error)
            self.errors.append(error)

    def _take(self, value: Any) -> None:
        self._texts += [repr(value), str(value)]
        if not isinstance(value, Stream):
            self._texts.append(pickle.dumps(value).decode("latin-1"))
        for name in ("raw", "body", "code", "request_id", "__cause__"):
            self._texts.append(repr(getattr(value, name, None)))
        for name in ("attempts", "history", "failures"):
            found = getattr(value, name, None)
            self._texts += [repr(each) for each in found] if isinstance(found, Sequence) else []

    def everything(self) -> str:
        """All of it as one text, in whose lines the calls do show."""
        assert self.meter.flush()
        calls, spans = self._memory.calls, self._spans.get_finished_spans()
        metrics = self._metrics.get_metrics_data()
        files = [each.read_bytes() for each in self._home.rglob("*") if each.is_file()]
        assert calls
        assert spans
        assert metrics
        assert any(str(calls[0].call_id).encode() in each for each in files)
        return "\n".join(
            (
                *self._texts,
                *map(repr, calls),
                *(span.to_json() for span in spans),
                metrics.to_json(),
                *(f"{record.getMessage()} {record.args!r}" for record in self._log.records),
                *(each.decode("latin-1") for each in files),
            )
        )


@pytest.fixture
def shown(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    frame_server: FrameServer,
) -> Iterator[Shown]:
    """What shows of the calls of a test, by the default Meter, while every logger says all."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OTTERKEYID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", AWS_SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", AWS_TOKEN)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", frame_server.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for logger in ("", *LOGGERS, *logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=logger or None)
    found = Shown(tmp_path / "home", caplog)
    previous = meters.set_default_meter(found.meter)
    yield found
    meters.set_default_meter(previous)


def arguments_of(way: Way, server: FrameServer, **more: Any) -> dict[str, Any]:
    # Requests to an address of the caller's own are not signed.
    base_url = server.url + way.base if way.key else None
    return {"base_url": base_url, "api_key": way.key, "policy": ONCE, **more}


def echo(way: Way, key: str = KEY) -> dict[str, Any]:
    """An error body in which the server repeats what it was sent."""
    # AWS repeats what it was to sign, where a signature does not fit.
    said = f"x-amz-security-token:{AWS_TOKEN}" if way.key is None else key
    return {
        "type": "error",
        "message": f"not for {said}",
        "error": {"message": f"not for {said}", "type": f"no {said}", "code": said, "param": said},
    }


def check(shown: Shown, server: FrameServer, way: Way) -> None:
    """That the keys arrived where they belong, and show nowhere."""
    sent = [each.headers.get(way.header, "") for each in server.requests]
    assert sent
    if way.key is None:
        secrets = [*SECRETS, *(each.rpartition("Signature=")[2] for each in sent)]
        assert all(each.headers["x-amz-security-token"] == AWS_TOKEN for each in server.requests)
    else:
        secrets = [*SECRETS]
        assert all(KEY in each or OTHER_KEY in each for each in sent)
    found = shown.everything()
    assert [each for each in secrets if not each or each in found] == []


@EACH
@pytest.mark.parametrize("function", [costspan.completion, costspan.acompletion])
def test_of_answers(
    function: Callable[..., Any], way: Way, frame_server: FrameServer, shown: Shown
) -> None:
    frame_server.json(way.path, BODIES[way.recorded])

    shown.call(function, way.model, **arguments_of(way, frame_server))

    assert shown.errors == []
    check(shown, frame_server, way)


@EACH
def test_of_streams(way: Way, frame_server: FrameServer, shown: Shown) -> None:
    recorded = RECORDED[way.recorded]
    headers = {"content-type": recorded.content_type}
    frame_server.script(way.streamed, headers=headers, frames=recorded.frames)

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server, stream=True))

    assert shown.errors == []
    check(shown, frame_server, way)


@EACH
@pytest.mark.parametrize(
    "status", [200, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529]
)
def test_of_errors_that_repeat_them(
    status: int, way: Way, frame_server: FrameServer, shown: Shown
) -> None:
    frame_server.json(way.path, echo(way), status)

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server))

    assert len(shown.errors) == 1
    check(shown, frame_server, way)


@EACH
@pytest.mark.parametrize("function", [costspan.completion, costspan.acompletion])
def test_of_a_refused_stream(
    function: Callable[..., Any], way: Way, frame_server: FrameServer, shown: Shown
) -> None:
    frame_server.json(way.streamed, echo(way), 401)

    shown.call(function, way.model, **arguments_of(way, frame_server, stream=True))

    assert [type(error) for error in shown.errors] == [costspan.errors.AuthenticationError]
    check(shown, frame_server, way)


@EACH
def test_of_an_error_within_a_stream(way: Way, frame_server: FrameServer, shown: Shown) -> None:
    recorded = RECORDED[way.recorded]
    told = echo(way)
    error = aws_wire.exception("throttlingException", **told) if way.key is None else sse(told)[0]
    headers = {"content-type": recorded.content_type}
    frame_server.script(way.streamed, headers=headers, frames=[*recorded.frames[:3], error])

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server, stream=True))

    assert len(shown.errors) == 1
    check(shown, frame_server, way)


@EACH
@pytest.mark.parametrize("cut", [False, True])
def test_of_answers_that_are_none(
    cut: bool, way: Way, frame_server: FrameServer, shown: Shown
) -> None:
    frame_server.script(way.path, frames=[json.dumps(echo(way)).encode()[:-1]], cut=cut)

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server))

    assert len(shown.errors) == 1
    check(shown, frame_server, way)


@EACH
def test_of_requests_that_time_out(way: Way, frame_server: FrameServer, shown: Shown) -> None:
    frame_server.script(way.path, frames=[b"{}"], delay_s=5)

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server, timeout=0.3))

    assert [type(error) for error in shown.errors] == [costspan.errors.Timeout]
    check(shown, frame_server, way)


@EACH
def test_of_requests_that_are_repeated(way: Way, frame_server: FrameServer, shown: Shown) -> None:
    frame_server.json(way.path, echo(way), 429)
    frame_server.json(way.path, BODIES[way.recorded])

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server, policy=AGAIN))

    assert shown.errors == []
    assert len(frame_server.requests) == 2
    check(shown, frame_server, way)


@EACH
@pytest.mark.parametrize("answered", [False, True])
def test_of_fallbacks(answered: bool, way: Way, frame_server: FrameServer, shown: Shown) -> None:
    frame_server.json(way.path, echo(way), 500)
    frame_server.json(way.path, BODIES[way.recorded] if answered else echo(way, OTHER_KEY))
    other = {"model": way.model, "api_key": way.key and OTHER_KEY}

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server, fallbacks=[other]))

    assert len(shown.errors) == (0 if answered else 1)
    assert len(frame_server.requests) == 2
    check(shown, frame_server, way)


@pytest.mark.parametrize("name", [name for name, way in WAYS.items() if way.key])
@pytest.mark.parametrize("answered", [False, True])
def test_of_keys_that_take_turns(
    answered: bool, name: str, frame_server: FrameServer, shown: Shown
) -> None:
    way, keys = WAYS[name], costspan.KeyRing([lambda: KEY, OTHER_KEY])
    frame_server.json(way.path, echo(way), 401)
    if answered:
        frame_server.json(way.path, BODIES[way.recorded])
    else:
        frame_server.json(way.path, echo(way, OTHER_KEY), 401)

    shown.call(costspan.completion, way.model, **arguments_of(way, frame_server, api_key=keys))

    assert len(shown.errors) == (0 if answered else 1)
    assert len(frame_server.requests) == 2
    check(shown, frame_server, way)
    assert repr(keys) == "KeyRing(2 keys)"


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize("answered", [False, True])
def test_of_embeddings(
    answered: bool, status: int, frame_server: FrameServer, shown: Shown
) -> None:
    way = WAYS["bearer"]
    frame_server.json("/v1/embeddings", EMBEDDING_BODY if answered else echo(way), status)

    shown.call(costspan.embedding, way.model, **arguments_of(way, frame_server))

    assert len(shown.errors) == (0 if answered and status == 200 else 1)
    check(shown, frame_server, way)


@EACH
def test_of_what_is_never_sent(way: Way, shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", NOBODY)
    arguments: dict[str, Any] = {"base_url": way.key and NOBODY, "api_key": way.key}

    shown.call(costspan.completion, way.model, **arguments, policy=ONCE)
    shown.call(costspan.completion, way.model, **arguments, temperature=9)

    assert [type(error).__name__ for error in shown.errors] == [
        "APIConnectionError",
        "BadRequestError",
    ]
    found = shown.everything()
    assert [secret for secret in SECRETS if secret in found] == []


def test_of_addresses(frame_server: FrameServer, shown: Shown) -> None:
    frame_server.script("/v1/chat/completions", frames=[b"{}"])
    address = frame_server.url.replace("//", f"//user:{OTHER_KEY}@")

    shown.call(costspan.completion, "openai/m", base_url=f"{address}/v1?key={KEY}", api_key="k")
    shown.call(costspan.completion, "openai/m", base_url=f"{address}:1?key={KEY}", api_key="k")

    assert [type(error).__name__ for error in shown.errors] == [
        "APIResponseValidationError",
        "BadRequestError",
    ]
    texts = [repr(error) + str(vars(error)) for error in shown.errors]
    assert [secret for secret in SECRETS if secret in "".join(texts)] == []
