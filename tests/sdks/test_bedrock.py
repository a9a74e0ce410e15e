"""Every surface of boto3's bedrock-runtime client, on every way out."""

from __future__ import annotations

import gc
import io
import json
import weakref
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from aws_wire import FRAMES, event, exception, packed
from bed import Bed
from botocore.config import Config
from surfaces import Surface, Way, check, rows

from costspan.middleware.meter import Meter
from costspan.middleware.record import Call
from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

NOVA = "us.amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
LLAMA = "meta.llama3-1-8b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2402-v1:0"
HI: list[Any] = [{"role": "user", "content": [{"text": "hi"}]}]
BUCKETS = {"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 100}

# Nova Lite, per million: 600 x $0.06 + 400 x $0.015 (cache read) + 100 x $0.24.
NOVA_USD = Decimal("0.000066")
# Haiku 4.5 by a regional profile, 10 % above Anthropic's own:
# 600 x $1.1 + 400 x $0.11 + 100 x $5.5.
CLAUDE_USD = Decimal("0.001254")
# Llama 3.1 8B: 1000 x $0.22 + 100 x $0.22.
LLAMA_USD = Decimal("0.000242")

USAGE = {
    "inputTokens": 600,
    "outputTokens": 100,
    "totalTokens": 1100,
    "cacheReadInputTokens": 400,
    "cacheWriteInputTokens": 0,
}
CONVERSE_BODY = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 5},
}
CONVERSE_STREAM = [
    event("messageStart", role="assistant"),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Hello"}),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": " there."}),
    event("contentBlockStop", contentBlockIndex=0),
    event("messageStop", stopReason="end_turn"),
    event("metadata", usage=USAGE, metrics={"latencyMs": 5}),
]
CLAUDE_USAGE: dict[str, Any] = {
    "input_tokens": 600,
    "cache_read_input_tokens": 400,
    "cache_creation_input_tokens": 0,
    "output_tokens": 100,
}
CLAUDE_BODY: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "usage": CLAUDE_USAGE,
}
METRICS = {
    "inputTokenCount": 600,
    "outputTokenCount": 100,
    "cacheReadInputTokenCount": 400,
    "cacheWriteInputTokenCount": 0,
    "invocationLatency": 5,
    "firstByteLatency": 2,
}
CLAUDE_STREAM = [
    packed(
        {
            "type": "message_start",
            "message": {
                **CLAUDE_BODY,
                "content": [],
                "stop_reason": None,
                "usage": {**CLAUDE_USAGE, "output_tokens": 1},
            },
        }
    ),
    packed(
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello."},
        }
    ),
    packed(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 100},
        }
    ),
    packed({"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS}),
]
ASK_CLAUDE = json.dumps(
    {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi"}],
    }
)
REFUSED = {"message": "no such thing"}


def client(url: str, retries: int = 0) -> Any:
    """A client of the frame server."""
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1 + retries, "mode": "standard"}),
    )


def plain_client(url: str) -> Any:
    return client(url)


def path(model: str, method: str) -> str:
    return f"/model/{model.replace(':', '%3A')}/{method}"


def body_read(asked: Any, model: str = CLAUDE, body: str = ASK_CLAUDE) -> Any:
    response = asked.invoke_model(modelId=model, body=body)
    return [type(response["body"]).__name__, response["body"].read(), response["contentType"]]


def _surface(
    name: str, model: str, method: str, answer: Any, usd: Decimal, **fields: Any
) -> Surface:
    return Surface(
        **{
            "name": name,
            "client": plain_client,
            "ask": None,
            "path": path(model, method),
            "answer": answer,
            "provider": "aws",
            "buckets": BUCKETS,
            "cost_usd": usd,
            "error": (400, REFUSED),
            # An EventStream is no context manager.
            "without": ("with",) if "open" in fields else (),
            **fields,
        }
    )


SURFACES = [
    _surface(
        "converse",
        NOVA,
        "converse",
        CONVERSE_BODY,
        NOVA_USD,
        ask=lambda c: {
            **c.converse(modelId=NOVA, messages=HI, inferenceConfig={"maxTokens": 100}),
            "ResponseMetadata": 0,
        },
    ),
    _surface(
        "converse stream",
        NOVA,
        "converse-stream",
        CONVERSE_STREAM,
        NOVA_USD,
        open=lambda c: c.converse_stream(modelId=NOVA, messages=HI)["stream"],
        items=lambda stream: (each for each in stream if "messageStart" not in each),
        first=3,
        headers=FRAMES,
    ),
    _surface("invoke", CLAUDE, "invoke", CLAUDE_BODY, CLAUDE_USD, ask=body_read),
    _surface(
        "invoke stream",
        CLAUDE,
        "invoke-with-response-stream",
        CLAUDE_STREAM,
        CLAUDE_USD,
        open=lambda c: c.invoke_model_with_response_stream(modelId=CLAUDE, body=ASK_CLAUDE)["body"],
        headers=FRAMES,
    ),
]


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    call = check(surface, way, bed)
    assert call is not None
    assert call.last.context["region"] == "us-east-1"
    if way == "ok":
        assert call.streaming == (surface.open is not None)


def _one(bed: Bed) -> Call:
    gc.collect()
    (call,) = bed.calls(1)
    return call


def _ask(bed: Bed, server: FrameServer, url: str, answer: Any, **headers: str) -> Any:
    """A wrapped client, and a server with one answer."""
    bed.memory.clear()
    server.reset()
    if isinstance(answer, list):
        server.script(url, headers=FRAMES, frames=answer)
    else:
        data = json.dumps(answer).encode()
        length = {"content-length": str(len(data))} if headers.pop("sized", "") else {}
        server.script(url, headers={**headers, **length}, frames=[data])
    return wrap(client(server.url), lambda: bed.meter)


FAMILIES: list[Any] = [
    (
        LLAMA,
        {
            "generation": "Hello.",
            "prompt_token_count": 1000,
            "generation_token_count": 100,
            "stop_reason": "stop",
        },
        {},
        {"tokens.in.text": 1000, "tokens.out.text": 100},
        LLAMA_USD,
        "invoke-llama",
    ),
    (
        LLAMA,
        {"generation": "Hello.", "stop_reason": "stop"},
        {
            "x-amzn-bedrock-input-token-count": "1000",
            "x-amzn-bedrock-output-token-count": "100",
        },
        {"tokens.in.text": 1000, "tokens.out.text": 100},
        LLAMA_USD,
        "invoke-any",
    ),
    (
        NOVA,
        {
            **CONVERSE_BODY,
            "usage": {
                "inputTokens": 600,
                "outputTokens": 100,
                "cacheReadInputTokenCount": 400,
                "cacheWriteInputTokenCount": 0,
            },
        },
        # Where body and headers speak, the body tells more.
        {"x-amzn-bedrock-input-token-count": "1", "x-amzn-bedrock-output-token-count": "1"},
        BUCKETS,
        NOVA_USD,
        "converse",
    ),
    (
        # Titan Embeddings V2: 1000 x $0.02 per million.
        "amazon.titan-embed-text-v2:0",
        {"embedding": [0.1], "inputTextTokenCount": 1000},
        {},
        {"tokens.in.text": 1000},
        Decimal("0.00002"),
        "embeddings",
    ),
    (
        # Mistral Large of 2024-02: 600 x $4 + 100 x $12 per million.
        MISTRAL,
        {"outputs": [{"text": "Hello.", "stop_reason": "stop"}]},
        {"x-amzn-bedrock-input-token-count": "600", "x-amzn-bedrock-output-token-count": "100"},
        {"tokens.in.text": 600, "tokens.out.text": 100},
        Decimal("0.0036"),
        "invoke-any",
    ),
]


@pytest.mark.parametrize(("model", "body", "headers", "buckets", "usd", "api"), FAMILIES)
def test_usage_of_each_model_family(
    bed: Bed,
    shared_frame_server: FrameServer,
    model: str,
    body: Mapping[str, Any],
    headers: dict[str, str],
    buckets: Mapping[str, int],
    usd: Decimal,
    api: str,
) -> None:
    asked = _ask(bed, shared_frame_server, path(model, "invoke"), body, **headers)
    asked.invoke_model(modelId=model, body=b'{"prompt": "hi"}')["body"].read()
    call = _one(bed)
    assert call.usage is not None
    assert {name: n for name, n in call.usage.buckets.items() if n} == buckets
    assert (call.cost_usd, call.last.api, call.status) == (usd, api, "ok")


READS: list[Any] = [
    lambda body: body.read(),
    lambda body: b"".join(body.iter_chunks(7)),
    lambda body: b"".join(body.iter_lines()),
    lambda body: b"".join(body),
    lambda body: body.readlines(),
    lambda body: [body.read(10), body.read()],
    lambda body: [body.readinto(target := bytearray(4096)), target, body.readinto(bytearray(1))],
    lambda body: json.load(body),
    lambda body: body.__enter__().read(),
    lambda body: b"".join(body.__enter__().stream(16)),
]


@pytest.mark.parametrize("sized", ["", "yes"])
@pytest.mark.parametrize("read", READS)
def test_a_body_is_read_in_any_way(
    bed: Bed, shared_frame_server: FrameServer, read: Any, sized: str
) -> None:
    asked = _ask(bed, shared_frame_server, path(CLAUDE, "invoke"), CLAUDE_BODY, sized=sized)
    got = read(asked.invoke_model(modelId=CLAUDE, body=ASK_CLAUDE)["body"])
    call = _one(bed)
    shared_frame_server.reset()
    data = json.dumps(CLAUDE_BODY).encode()
    length = {"content-length": str(len(data))} if sized else {}
    shared_frame_server.script(path(CLAUDE, "invoke"), headers=length, frames=[data])
    bare = client(shared_frame_server.url).invoke_model(modelId=CLAUDE, body=ASK_CLAUDE)
    assert got == read(bare["body"])
    assert (call.cost_usd, call.status) == (CLAUDE_USD, "ok")


@pytest.mark.parametrize("leave", ["closed", "dropped"])
def test_a_body_that_nobody_reads_is_priced_by_its_headers(
    bed: Bed, shared_frame_server: FrameServer, leave: str
) -> None:
    counts = {"x-amzn-bedrock-input-token-count": "600", "x-amzn-bedrock-output-token-count": "100"}
    asked = _ask(bed, shared_frame_server, path(MISTRAL, "invoke"), {"outputs": []}, **counts)
    body = asked.invoke_model(modelId=MISTRAL, body=io.BytesIO(b"{}"))["body"]
    dead = weakref.ref(body)
    if leave == "closed":
        body.close()
    del body
    assert dead() is None  # as without us: at once
    call = _one(bed)
    assert (call.status, call.cost_usd) == ("interrupted", Decimal("0.0036"))


def test_an_exception_in_the_middle_of_a_stream(bed: Bed, shared_frame_server: FrameServer) -> None:
    frames = [*CONVERSE_STREAM[:3], exception("throttlingException", message="too fast")]
    asked = _ask(bed, shared_frame_server, path(NOVA, "converse-stream"), frames)
    stream = asked.converse_stream(modelId=NOVA, messages=HI)["stream"]
    with pytest.raises(asked.exceptions.ClientError) as caught:
        list(stream)
    call = _one(bed)
    assert caught.value.response["Error"]["Code"] == "throttlingException"
    assert (call.status, call.ended_by) == ("error", "raised")
    assert call.error is not None
    assert (call.error.type, call.error.code) == (
        "botocore.EventStreamError",
        "throttlingException",
    )
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"


def test_attempts_of_botocore_are_one_call(bed: Bed, shared_frame_server: FrameServer) -> None:
    bed.memory.clear()
    shared_frame_server.reset()
    url = path(NOVA, "converse")
    shared_frame_server.json(url, {"message": "busy"}, 503)
    shared_frame_server.json(url, CONVERSE_BODY)
    wrap(client(shared_frame_server.url, retries=1), lambda: bed.meter).converse(
        modelId=NOVA, messages=HI
    )
    call = _one(bed)
    assert (call.retries, call.status, call.cost_usd) == (1, "ok", NOVA_USD)


def test_an_error_says_its_type_status_and_code(bed: Bed, shared_frame_server: FrameServer) -> None:
    asked = _ask(bed, shared_frame_server, path(NOVA, "converse"), {})
    shared_frame_server.reset()
    kind = {"x-amzn-errortype": "ThrottlingException"}
    shared_frame_server.json(path(NOVA, "converse"), REFUSED, 429, kind)
    with pytest.raises(asked.exceptions.ThrottlingException):
        asked.converse(modelId=NOVA, messages=HI)
    error = _one(bed).error
    assert error is not None
    assert (error.type, error.http_status, error.code) == (
        "botocore.ThrottlingException",
        429,
        "ThrottlingException",
    )


def test_arns_aliases_tiers_and_what_was_asked(bed: Bed, shared_frame_server: FrameServer) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc"
    url = f"/model/{arn.replace(':', '%3A').replace('/', '%2F')}/converse"
    _ask(bed, shared_frame_server, url, CONVERSE_BODY)
    meter = Meter(exporters=[bed.memory], aliases={arn: "aws/amazon.nova-lite-v1:0"})
    wrap(client(shared_frame_server.url), lambda: meter).converse(
        modelId=arn,
        messages=HI,
        inferenceConfig={"maxTokens": 7, "temperature": 0.5},
        serviceTier={"type": "priority"},
    )
    (call,) = bed.memory.calls
    assert call.cost_usd == NOVA_USD * Decimal("1.75")  # what priority costs more
    assert call.last.context["requested_service_tier"] == "priority"
    assert call.last.model_requested == arn
    assert dict(call.request_params) == {
        "max_tokens": 7,
        "temperature": 0.5,
        "service_tier": "priority",
    }
    assert (call.last.endpoint, call.last.port) == ("127.0.0.1", shared_frame_server.port)


def test_methods_fetched_before_are_watched_and_unwrap_undoes_it(
    bed: Bed, shared_frame_server: FrameServer
) -> None:
    bed.memory.clear()
    shared_frame_server.reset()
    for _ in range(2):
        shared_frame_server.json(path(NOVA, "converse"), CONVERSE_BODY)
    made = client(shared_frame_server.url)
    before, converse = dict(vars(made)), made.converse
    assert wrap(made, lambda: bed.meter) is made
    converse(modelId=NOVA, messages=HI)
    assert unwrap(made) is made
    assert vars(made) == before
    converse(modelId=NOVA, messages=HI)
    assert len(bed.calls(1)) == 1


def test_one_method_is_wrapped(bed: Bed, shared_frame_server: FrameServer) -> None:
    bed.memory.clear()
    shared_frame_server.reset()
    for _ in range(2):
        shared_frame_server.json(path(NOVA, "converse"), CONVERSE_BODY)
    made = client(shared_frame_server.url)
    wrap(made.converse, lambda: bed.meter)(modelId=NOVA, messages=HI)
    assert _one(bed).cost_usd == NOVA_USD
    bed.memory.clear()
    wrap(made, lambda: bed.meter)
    wrap(made.converse, lambda: bed.meter)(modelId=NOVA, messages=HI)
    assert _one(bed).cost_usd == NOVA_USD


def test_clients_of_other_services_are_refused() -> None:
    other = boto3.client("sts", region_name="us-east-1")
    with pytest.raises(TypeError, match="bedrock-runtime"):
        wrap(other, Meter)


def test_other_operations_pass_unrecorded(bed: Bed, shared_frame_server: FrameServer) -> None:
    asked = _ask(bed, shared_frame_server, path(CLAUDE, "count-tokens"), {"inputTokens": 3})
    counted = asked.count_tokens(
        modelId=CLAUDE, input={"converse": {"messages": [{"role": "user", "content": []}]}}
    )
    assert counted["inputTokens"] == 3
    assert bed.calls(0) == ()


def test_the_private_names_of_botocore_that_are_relied_on(
    shared_frame_server: FrameServer,
) -> None:
    shared_frame_server.reset()
    shared_frame_server.json(path(CLAUDE, "invoke"), CLAUDE_BODY)
    shared_frame_server.script(
        path(NOVA, "converse-stream"), headers=FRAMES, frames=CONVERSE_STREAM
    )
    made = client(shared_frame_server.url)
    assert callable(made._make_api_call)
    body = made.invoke_model(modelId=CLAUDE, body=ASK_CLAUDE)["body"]
    assert all(
        callable(getattr(type(body._raw_stream), name)) for name in ("read", "read1", "close")
    )
    body.read()
    stream = made.converse_stream(modelId=NOVA, messages=HI)["stream"]
    assert hasattr(stream, "_event_generator")
    assert callable(type(stream)._parse_event)
    list(stream)
