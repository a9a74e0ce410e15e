"""Embeddings in every wire format, over real HTTP, and beside the official SDKs."""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI, OpenAI

from costspan.core.embedding import aembedding, embedding
from costspan.core.embedding_reply import Embedding, EmbeddingReply, EmbeddingUsage
from costspan.core.endpoint import Endpoint
from costspan.core.endpoints import endpoint
from costspan.core.errors import (
    APIResponseValidationError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    RateLimitError,
    ServiceUnavailableError,
    UnsupportedParamsError,
)
from costspan.core.observation import Observation
from costspan.core.policy import Policy
from costspan.core.protocols import (
    bedrock_embeddings,
    cohere_embeddings,
    gemini_embeddings,
    ollama_embeddings,
    openai_embeddings,
)
from costspan.core.request import Request, WireRequest

if TYPE_CHECKING:
    from tests.conftest import FrameServer

THIRD = 0.3333333432674408  # a third as a float32, which is what base64 carries
VECTORS = [[0.5, -0.25, THIRD], [1.0, 0.0, -2.0]]


def as_base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def openai_body(*vectors: object) -> dict[str, object]:
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage}


def ask(server: FrameServer, model: str, given: Any = "Hello", **arguments: Any) -> EmbeddingReply:
    keyed = {"base_url": server.url, "api_key": "k", "num_retries": 0, **arguments}
    return embedding(model, given, **keyed)


# --- What is sent


def wire(
    module: Any, given: object, *, to: Endpoint, drop: bool = False, **params: Any
) -> WireRequest:
    request = Request(
        params.pop("model", "m"), (), params={"input": given, **params}, drop_params=drop
    )
    encoded: WireRequest = module.encode(request, to)
    return encoded


def bedrock() -> Endpoint:
    return endpoint("aws", settings={"region": "us-east-1"})


@pytest.mark.parametrize(
    ("given", "params", "sent"),
    [
        ("Hi", {}, {"input": "Hi", "encoding_format": "base64"}),
        (
            ["a", "b"],
            {"user": "u", "dimensions": 4},
            {"input": ["a", "b"], "user": "u", "dimensions": 4, "encoding_format": "base64"},
        ),
        ([1, 2], {"encoding_format": "float"}, {"input": [1, 2], "encoding_format": "float"}),
        (
            [[1], [2]],
            {"encoding_format": "base64"},
            {"input": [[1], [2]], "encoding_format": "base64"},
        ),
    ],
)
def test_openai(given: object, params: dict[str, Any], sent: dict[str, Any]) -> None:
    found = wire(openai_embeddings, given, to=endpoint("openai"), **params)
    assert found.path == "/embeddings"
    assert found.body == {"model": "m", **sent}


def test_base64_is_asked_of_those_who_are_known_to_send_it() -> None:
    found = wire(openai_embeddings, "Hi", to=endpoint("mistral"))
    assert found.body == {"model": "m", "input": "Hi"}


@pytest.mark.parametrize(
    ("given", "params", "each"),
    [
        ("Hi", {}, {}),
        (["Hi"], {"dimensions": 4, "encoding_format": "float"}, {"outputDimensionality": 4}),
        ("Hi", {"input_type": "search_query"}, {"taskType": "RETRIEVAL_QUERY"}),
        ("Hi", {"input_type": "search_document"}, {"taskType": "RETRIEVAL_DOCUMENT"}),
        ("Hi", {"input_type": "clustering"}, {"taskType": "CLUSTERING"}),
        ("Hi", {"model": "models/m"}, {}),
    ],
)
def test_gemini(given: object, params: dict[str, Any], each: dict[str, Any]) -> None:
    found = wire(gemini_embeddings, given, to=endpoint("google"), **params)
    assert found.path == "/models/m:batchEmbedContents"
    content = {"parts": [{"text": "Hi"}]}
    assert found.body == {"requests": [{"model": "models/m", **each, "content": content}]}


@pytest.mark.parametrize(
    ("given", "params", "sent"),
    [
        (
            "Hi",
            {},
            {"texts": ["Hi"], "input_type": "search_document", "embedding_types": ["float"]},
        ),
        (
            ["a", "b"],
            {"input_type": "search_query", "dimensions": 256, "encoding_format": "base64"},
            {
                "texts": ["a", "b"],
                "input_type": "search_query",
                "output_dimension": 256,
                "embedding_types": ["base64"],
            },
        ),
    ],
)
def test_cohere(given: object, params: dict[str, Any], sent: dict[str, Any]) -> None:
    found = wire(cohere_embeddings, given, to=endpoint("cohere"), **params)
    assert found.path == "/v2/embed"
    assert found.body == {"model": "m", **sent}


def test_ollama() -> None:
    found = wire(
        ollama_embeddings, "Hi", to=endpoint("ollama"), dimensions=4, encoding_format="float"
    )
    assert found.path == "/api/embed"
    assert found.body == {"model": "m", "input": ["Hi"], "dimensions": 4}


@pytest.mark.parametrize(
    ("model", "given", "params", "sent"),
    [
        (
            "amazon.titan-embed-text-v2:0",
            ["Hi"],
            {"dimensions": 256, "encoding_format": "float"},
            {"inputText": "Hi", "dimensions": 256},
        ),
        (
            "cohere.embed-v4:0",
            ["a", "b"],
            {"dimensions": 256},
            {"texts": ["a", "b"], "input_type": "search_document", "output_dimension": 256},
        ),
        (
            "us.cohere.embed-v4:0",
            "a",
            {"input_type": "clustering", "encoding_format": "base64"},
            {"texts": ["a"], "input_type": "clustering", "embedding_types": ["base64"]},
        ),
    ],
)
def test_bedrock(model: str, given: object, params: dict[str, Any], sent: dict[str, Any]) -> None:
    found = wire(bedrock_embeddings, given, to=bedrock(), model=model, **params)
    assert found.path == f"/model/{model.replace(':', '%3A')}/invoke"
    assert found.body == sent


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        ("amazon.titan-embed-text-v2:0", ["a", "b"], "one text a request, and was given 2"),
        ("amazon.nova-pro-v1:0", "a", "supported are amazon.titan-embed-text and cohere.embed"),
        ("cohere.embed-v4:0", [1, 2], "aws takes texts .* no token ids"),
    ],
)
def test_what_bedrock_cannot(model: str, given: object, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        wire(bedrock_embeddings, given, to=bedrock(), model=model)


@pytest.mark.parametrize(
    ("module", "provider", "lacking"),
    [
        (openai_embeddings, "openai", {"input_type": "search_query"}),
        (gemini_embeddings, "google", {"encoding_format": "base64", "user": "u"}),
        (cohere_embeddings, "cohere", {"user": "u"}),
        (
            ollama_embeddings,
            "ollama",
            {"encoding_format": "base64", "input_type": "search_query", "user": "u"},
        ),
    ],
)
def test_parameters_that_a_format_lacks(
    module: Any, provider: str, lacking: dict[str, Any]
) -> None:
    names = ", ".join(sorted(lacking))
    with pytest.raises(UnsupportedParamsError, match=f"{provider} has no {names}"):
        wire(module, "Hi", to=endpoint(provider), **lacking)
    dropped = wire(module, "Hi", to=endpoint(provider), drop=True, **lacking)
    assert dropped.dropped == tuple(sorted(lacking))
    assert dropped.body == wire(module, "Hi", to=endpoint(provider)).body


@pytest.mark.parametrize(
    ("module", "provider"),
    [(gemini_embeddings, "google"), (cohere_embeddings, "cohere"), (ollama_embeddings, "ollama")],
)
def test_token_ids_are_openais(module: Any, provider: str) -> None:
    for given_ids in ([1, 2], [[1], [2]]):
        with pytest.raises(BadRequestError, match=f"{provider} takes texts .* and no token ids"):
            wire(module, given_ids, to=endpoint(provider))


def test_extra_fields_win_and_headers_go_along(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", openai_body([1.0]))
    ask(
        frame_server,
        "openai/m",
        dimensions=4,
        extra_body={"dimensions": 5, "truncate": True},
        extra_headers={"X-Team": "search"},
    )
    (sent,) = frame_server.requests
    assert sent.json["dimensions"] == 5
    assert sent.json["truncate"] is True
    assert sent.headers["x-team"] == "search"
    assert sent.headers["authorization"] == "Bearer k"


def test_azure_has_the_deployment_in_the_path(
    frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", frame_server.url)
    path = "/openai/deployments/my-small/embeddings"
    frame_server.json(path, openai_body(as_base64([1.0])))
    reply = embedding("azure/my-small", "Hi", api_key="k")
    assert reply.data[0].embedding == [1.0]
    (sent,) = frame_server.requests
    assert sent.path.startswith(f"{path}?api-version=")
    assert sent.headers["api-key"] == "k"
    assert sent.json["encoding_format"] == "base64"


# --- What comes back

ANSWERS: list[tuple[str, str, dict[str, object], dict[str, str], int | None]] = [
    ("openai/m", "/embeddings", openai_body(*map(as_base64, VECTORS)), {}, 8),
    ("mistral/m", "/embeddings", openai_body(*VECTORS), {}, 8),
    (
        "gemini/m",
        "/models/m:batchEmbedContents",
        {"embeddings": [{"values": v} for v in VECTORS], "usageMetadata": {"promptTokenCount": 9}},
        {},
        9,
    ),
    (
        "cohere/m",
        "/v2/embed",
        {
            "id": "e1",
            "embeddings": {"float": VECTORS},
            "texts": ["a", "b"],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 5}},
        },
        {},
        5,
    ),
    (
        "ollama/m",
        "/api/embed",
        {"model": "m", "embeddings": VECTORS, "total_duration": 5, "prompt_eval_count": 6},
        {},
        6,
    ),
    (
        "bedrock/cohere.embed-v4:0",
        "/model/cohere.embed-v4%3A0/invoke",
        {"id": "e1", "embeddings": {"float": VECTORS}, "response_type": "embeddings_by_type"},
        {"X-Amzn-Bedrock-Input-Token-Count": "7"},
        7,
    ),
    (
        "bedrock/cohere.embed-english-v3",
        "/model/cohere.embed-english-v3/invoke",
        {"id": "e1", "embeddings": VECTORS, "response_type": "embeddings_floats"},
        {},
        None,
    ),
]


@pytest.mark.parametrize(("model", "path", "body", "headers", "tokens"), ANSWERS)
def test_answers(
    frame_server: FrameServer,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    path: str,
    body: dict[str, object],
    headers: dict[str, str],
    tokens: int | None,
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    frame_server.json(path, body, headers={"content-type": "application/json", **headers})
    reply = ask(frame_server, model, ["a", "b"])
    arguments: dict[str, Any] = {"base_url": frame_server.url, "api_key": "k"}
    other = asyncio.run(aembedding(model, ["a", "b"], **arguments))
    for each in (reply, other):
        assert each.object == "list"
        assert each.data == [Embedding(VECTORS[0], 0), Embedding(VECTORS[1], 1)]
        assert each.usage == (tokens and EmbeddingUsage(tokens, tokens))
        assert (each.meters and dict(each.meters.buckets)) == (
            tokens and {"tokens.in.text": tokens}
        )
        assert each.raw == body
        assert (each.api, each.endpoint, each.port) == (
            "embeddings",
            "127.0.0.1",
            frame_server.port,
        )
        (attempt,) = each.attempts
        assert attempt.model_requested == model
        assert attempt.ended_ns >= attempt.started_ns > 0
    assert frame_server.requests[0].body == frame_server.requests[1].body


def test_titan(frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    body = {"embedding": [0.5], "embeddingsByType": {"float": [0.5]}, "inputTextTokenCount": 3}
    frame_server.json("/model/amazon.titan-embed-text-v2%3A0/invoke", body)
    reply = ask(frame_server, "bedrock/amazon.titan-embed-text-v2:0")
    assert reply.data == [Embedding([0.5], 0)]
    assert reply.usage == EmbeddingUsage(3, 3)
    assert (reply.provider, reply.model) == ("aws", "amazon.titan-embed-text-v2:0")


def test_openais_shape_and_items(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", openai_body(as_base64([0.5])))
    reply = ask(frame_server, "openai/text-embedding-3-small")
    assert reply.model_dump() == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    assert reply["data"][0]["embedding"] == [0.5]
    assert reply.get("cost") is None


@pytest.mark.parametrize(
    ("model", "path", "body"),
    [
        ("openai/m", "/embeddings", openai_body("zczMPc3MTD4=")),
        ("cohere/m", "/v2/embed", {"embeddings": {"base64": ["zczMPc3MTD4="]}}),
    ],
)
def test_vectors_as_text_where_asked_for(
    frame_server: FrameServer, model: str, path: str, body: dict[str, object]
) -> None:
    frame_server.json(path, body)
    assert ask(frame_server, model, encoding_format="base64").data[0].embedding == "zczMPc3MTD4="


def test_indices_of_the_server_are_kept(frame_server: FrameServer) -> None:
    body = {"data": [{"index": 1, "embedding": [1.0]}, {"embedding": [2.0]}]}
    frame_server.json("/embeddings", body)
    reply = ask(frame_server, "openai/m")
    assert [(each.index, each.embedding) for each in reply.data] == [(1, [1.0]), (1, [2.0])]
    assert reply.usage is None, "no usage is no zero"
    assert reply.model == "m"


NOTHING: list[dict[str, object]] = [
    {},
    {"data": None},
    {"data": [1]},
    {"data": [{"embedding": None}]},
    {"embeddings": 5},
    {"embeddings": [5, None]},
    {"embeddings": {"float": None}},
    {"usageMetadata": 1, "meta": [], "id": 5, "model": {}, "error": 5},
]


@pytest.mark.parametrize("body", NOTHING)
@pytest.mark.parametrize(
    "module",
    [
        openai_embeddings,
        gemini_embeddings,
        cohere_embeddings,
        ollama_embeddings,
        bedrock_embeddings,
    ],
)
def test_odd_bodies_are_no_vectors(module: Any, body: dict[str, object]) -> None:
    assert not module.read(body, {}, Observation(api="embeddings"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ("data", "embeddings", "embedding", "index", "usage", "meta", "float")
                ),
                inner,
            )
        ),
    ).filter(lambda value: isinstance(value, dict))
)
def test_no_body_breaks_a_reader(body: Any) -> None:
    for module in (
        openai_embeddings,
        gemini_embeddings,
        cohere_embeddings,
        ollama_embeddings,
        bedrock_embeddings,
    ):
        seen = Observation(api="embeddings")
        for each in module.read(body, {}, seen) or ():
            assert isinstance(each.embedding, (list, str))
        seen.usage_of("openai")


# --- Errors


@pytest.mark.parametrize(
    ("model", "path", "status", "kind"),
    [
        ("openai/m", "/embeddings", 401, AuthenticationError),
        ("openai/m", "/embeddings", 429, RateLimitError),
        ("cohere/m", "/v2/embed", 400, BadRequestError),
    ],
)
def test_failures(
    frame_server: FrameServer, model: str, path: str, status: int, kind: type[Exception]
) -> None:
    body = {"message": "No key sk-0123456789.", "error": {"message": "No k", "code": "no"}}
    frame_server.json(path, body, status)
    with pytest.raises(kind) as caught:
        ask(frame_server, model)
    assert "sk-0123456789" not in str(caught.value)
    arguments: dict[str, Any] = {"base_url": frame_server.url, "max_retries": 0}
    with pytest.raises(kind):
        asyncio.run(aembedding(model, "Hi", api_key="k", **arguments))


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"data": [{"embedding": "%%%"}]}',
        b'{"data": [{"embedding": "AAA="}]}',
    ],
)
def test_answers_that_are_none(frame_server: FrameServer, answer: bytes) -> None:
    frame_server.script("/embeddings", frames=[answer])
    with pytest.raises(APIResponseValidationError, match="no list of embeddings"):
        ask(frame_server, "openai/m")


def test_errors_in_spite_of_the_status(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", {"error": {"type": "rate_limit_error", "message": "slow"}})
    with pytest.raises(RateLimitError, match="slow"):
        ask(frame_server, "openai/m")


def test_requests_are_repeated_and_the_attempts_are_told(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", {"error": {"message": "down"}}, 503)
    frame_server.json("/embeddings", {"error": {"message": "slow"}}, 429, {"retry-after-ms": "1"})
    frame_server.json("/embeddings", openai_body([0.5]))
    policy = Policy(max_retries=2, first_wait_s=0.001)
    reply = ask(frame_server, "openai/m", policy=policy, num_retries=None)
    assert reply.data[0].embedding == [0.5]
    errors = [type(attempt.error) for attempt in reply.attempts]
    assert errors == [ServiceUnavailableError, RateLimitError, type(None)]
    assert [attempt.api for attempt in reply.attempts] == ["embeddings"] * 3


def test_the_next_key_is_taken(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", {"error": {"message": "no"}}, 401)
    frame_server.json("/embeddings", openai_body([0.5]))
    reply = ask(frame_server, "openai/m", api_key=["old", lambda: "new"])
    assert len(reply.attempts) == 2
    sent = [request.headers["authorization"] for request in frame_server.requests]
    assert sent == ["Bearer old", "Bearer new"]


def test_errors_carry_their_attempts(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", {"error": {"message": "down"}}, 500)
    policy = Policy(max_retries=1, first_wait_s=0.001)
    with pytest.raises(InternalServerError) as caught:
        ask(frame_server, "openai/m", policy=policy, num_retries=None)
    assert caught.value.attempts == 2
    assert [attempt.model for attempt in caught.value.history] == ["m", "m"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("anthropic/claude-x", "no embeddings with anthropic: supported are"),
        ("vertex_ai/gemini-embedding-001", "no embeddings with vertex: supported are"),
        ("nothing", "does not say its provider"),
        ("", "model must be a name"),
    ],
)
def test_who_has_no_embeddings(monkeypatch: pytest.MonkeyPatch, model: str, said: str) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    with pytest.raises(BadRequestError, match=said):
        embedding(model, "Hi", api_key="k")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "it is empty"),
        (None, "it is a NoneType"),
        (5, "it is a int"),
        (b"Hi", "it is a bytes"),
        ({"a": 1}, "it is a dict"),
        (["a", 1], "it is a list of int, str"),
        ([True], "it is a list of bool"),
    ],
)
def test_inputs_that_are_none(wrong: Any, said: str) -> None:
    with pytest.raises(BadRequestError, match=f"token ids: {said}"):
        embedding("openai/m", wrong, api_key="k")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 5}, "unknown argument 'dimension': did you mean dimensions?"),
        ({"fallbacks": ["a/b"]}, "unknown argument 'fallbacks'"),
        ({"mock_response": "a"}, "unknown argument 'mock_response'"),
        ({"api": "chat"}, "unknown argument 'api'"),
        ({"temperature": 1}, "unknown argument 'temperature': What only the provider knows"),
        ({"dimensions": 0}, "it must be 1 or more"),
        ({"dimensions": True}, "it must be 1 or more"),
        ({"encoding_format": "int8"}, "it must be float or base64"),
        ({"base_url": "http://a", "api_base": "http://b"}, "are one argument"),
    ],
)
def test_arguments_that_are_wrong(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestError, match=said.replace("?", r"\?")):
        embedding("openai/m", "Hi", api_key="k", **arguments)


def test_arguments_that_are_none_are_not_given(frame_server: FrameServer) -> None:
    frame_server.json("/embeddings", openai_body([1.0]))
    ask(frame_server, "openai/m", dimensions=None, user=None, metadata={"tags": ["a"]})
    assert set(frame_server.requests[0].json) == {"model", "input", "encoding_format"}


# --- Beside the official SDKs


@pytest.mark.parametrize(
    ("given", "params"),
    [
        ("Hello", {}),
        (["a", "b"], {"dimensions": 3, "user": "u"}),
        ([1, 2, 3], {"encoding_format": "float"}),
        ([[1, 2], [3]], {"encoding_format": "base64"}),
    ],
)
def test_openais_sdk_sends_and_gives_the_same(
    frame_server: FrameServer, given: Any, params: dict[str, Any]
) -> None:
    encoded = params.get("encoding_format") != "float"
    vectors = [as_base64(v) for v in VECTORS] if encoded else VECTORS
    frame_server.json("/embeddings", openai_body(*vectors))
    name = "text-embedding-3-small"
    ours = ask(frame_server, f"openai/{name}", given, **params)
    with OpenAI(api_key="k", base_url=frame_server.url) as client:
        theirs = client.embeddings.create(model=name, input=given, **params)
    first, second = frame_server.requests
    assert first.json == second.json
    assert ours.model_dump() == theirs.model_dump(exclude_none=True, warnings=False)

    async def asked() -> tuple[object, object]:
        arguments: dict[str, Any] = {"base_url": frame_server.url, "api_key": "k"}
        reply = await aembedding(f"openai/{name}", given, **arguments, **params)
        async with AsyncOpenAI(**arguments) as client:
            sdk = await client.embeddings.create(model=name, input=given, **params)
        return reply.model_dump(), sdk.model_dump(exclude_none=True, warnings=False)

    ours_async, theirs_async = asyncio.run(asked())
    assert ours_async == theirs_async == ours.model_dump()


def test_googles_sdk_reads_the_same(frame_server: FrameServer) -> None:
    path = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    usage = {"promptTokenCount": 9}
    frame_server.json(
        path, {"embeddings": [{"values": v} for v in VECTORS], "usageMetadata": usage}
    )
    arguments: dict[str, Any] = {"base_url": f"{frame_server.url}/v1beta", "api_key": "k"}
    reply = embedding(
        "gemini/gemini-embedding-001",
        ["a", "b"],
        dimensions=3,
        input_type="search_query",
        **arguments,
    )
    client = genai.Client(
        api_key="k", http_options={"base_url": frame_server.url, "api_version": "v1beta"}
    )
    theirs = client.models.embed_content(
        model="gemini-embedding-001",
        contents=["a", "b"],
        config={"output_dimensionality": 3, "task_type": "RETRIEVAL_QUERY"},
    )
    assert [each.embedding for each in reply.data] == [v.values for v in theirs.embeddings or ()]
    assert theirs.usage_metadata is not None
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == theirs.usage_metadata.prompt_token_count == 9
    ours, sdks = (request.json for request in frame_server.requests)
    for each in sdks["requests"]:  # type: ignore[attr-defined]  # a list of objects
        del each["content"]["role"]  # which embeddings do without
    assert ours == sdks
