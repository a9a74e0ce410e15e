"""``instrument`` in an environment with litellm, any-llm, groq, ollama, boto3 and anthropic 0."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import any_llm
import boto3
import groq
import litellm
import ollama
import pytest
import wire

import costspan
from costspan import zero_code
from costspan.middleware.adapters import adapter_of
from costspan.middleware.followed import FOLLOWED

if TYPE_CHECKING:
    from tests.conftest import FrameServer

pytestmark = [
    # litellm's own, when its modules are imported as they are needed.
    pytest.mark.filterwarnings("ignore:Items? '.*ReadOnly:UserWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

HI: list[Any] = [{"role": "user", "content": "hi"}]
HERE = (
    *("openai", "anthropic", "groq", "google.genai", "ollama"),
    *("botocore.session", "litellm", "any_llm"),
)


@pytest.fixture
def memory() -> Iterator[costspan.InMemoryExporter]:
    """Everything is instrumented, with a Meter that keeps its calls in memory."""
    exporter = costspan.InMemoryExporter()
    costspan.instrument(costspan.Meter(exporters=[exporter]))
    yield exporter
    costspan.uninstrument()


@pytest.mark.parametrize("name", HERE)
def test_names_that_are_followed_exist(name: str) -> None:
    module = importlib.import_module(name)
    followed = FOLLOWED[name]
    names = (
        *followed.classes,
        *followed.functions,
        *(m.partition(".")[0] for m in followed.makers),
    )

    assert [each for each in names if not hasattr(module, each)] == []


@pytest.mark.usefixtures("memory")
def test_nothing_failed() -> None:
    assert zero_code._installed is not None
    guard = zero_code._installed.guard
    assert guard is not None
    assert guard.failures == {}


@pytest.mark.parametrize(
    ("library", "model"), [(litellm, "openai/gpt-4o"), (any_llm, "openai:gpt-4o")]
)
def test_a_library_over_an_sdk_is_one_call(
    memory: costspan.InMemoryExporter, frame_server: FrameServer, library: Any, model: str
) -> None:
    """The client that it makes is watched, too; outermost wins."""
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    former = library.completion.__wrapped__
    options: dict[str, Any] = {"api_key": "k", "api_base": f"{frame_server.url}/v1"}
    library.completion(model=model, messages=HI, **options)
    kept = library.completion
    costspan.uninstrument()
    assert library.completion is former
    kept(model=model, messages=HI, **options)

    assert len(memory.calls) == 1
    assert len(frame_server.requests) == 2


def test_an_explicit_wrap_of_a_function_wins(
    memory: costspan.InMemoryExporter, frame_server: FrameServer
) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    mine = costspan.InMemoryExporter()
    ask = costspan.wrap(litellm.completion, meter=costspan.Meter(exporters=[mine]))
    ask(model="openai/gpt-4o", messages=HI, api_key="k", api_base=f"{frame_server.url}/v1")

    assert (len(memory.calls), len(mine.calls)) == (0, 1)


def test_the_functions_of_ollama(
    memory: costspan.InMemoryExporter, frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are methods of a client that is made when the module is imported."""
    body = {"model": "m", "message": {"role": "assistant", "content": "Hi."}, "done": True}
    frame_server.json("/api/chat", {**body, "prompt_eval_count": 26, "eval_count": 7})
    monkeypatch.setattr(ollama._client._client, "base_url", frame_server.url)
    ollama.chat(model="m", messages=HI)
    costspan.uninstrument()
    ollama.chat(model="m", messages=HI)

    assert len(memory.calls) == 1
    assert not hasattr(ollama.chat, "__wrapped__")


@pytest.mark.usefixtures("memory")
def test_clients_are_watched() -> None:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    clients: list[Any] = [
        groq.Groq(api_key="k"),
        groq.AsyncGroq(api_key="k"),
        ollama.Client(),
        ollama.AsyncClient(),
        litellm.Router(model_list=[]),
        any_llm.AnyLLM.create("openai", api_key="k"),
        boto3.client("bedrock-runtime", **keys),
        boto3.session.Session().client("bedrock-runtime", **keys),
    ]
    attached = {}
    for client in clients:
        adapter = adapter_of(client)
        attached[type(client).__name__] = adapter is not None and adapter.is_attached(client)

    assert set(attached.values()) == {True}, json.dumps(attached)
    assert adapter_of(boto3.client("s3", **keys)) is None
