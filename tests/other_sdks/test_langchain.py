"""Models of LangChain, watched at the clients that they hold: one call for each request."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import groq
import litellm_wire as wire
import pytest
from google import genai
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langchain_openai import AzureChatOpenAI, ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from costspan.exporters.memory import InMemoryExporter
from costspan.middleware.meter import Meter
from costspan.middleware.wrap import unwrap, wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # LangChain's own
    pytest.mark.usefixtures("collected"),
]


def _model(server: FrameServer) -> Any:
    return ChatOpenAI(model="gpt-4o-mini", api_key="k", base_url=f"{server.url}/v1", max_retries=0)


def _ready(server: FrameServer, memory: InMemoryExporter, stream: bool = False) -> None:
    memory.clear()
    server.reset()
    if stream:
        server.script("/v1/chat/completions", frames=wire.GPT_FRAMES)
    else:
        server.json("/v1/chat/completions", wire.GPT)


def test_the_model_itself_stays_as_it_is(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    model = _model(shared_frame_server)
    twin, before = model.model_copy(), dict(vars(model))
    assert wrap(model, lambda: meter) is model
    assert model == twin
    assert vars(model) == before
    for runnable in (model, twin, model.bind(stop=["x"])):
        _ready(shared_frame_server, memory)
        assert runnable.invoke("hi").content == "Hello"
        assert memory.calls[-1].cost_usd == wire.GPT_USD
        assert len(memory.calls) == 1
    unwrap(model)
    _ready(shared_frame_server, memory)
    model.invoke("hi")
    assert memory.calls == ()


async def test_every_way_to_ask_is_one_call(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    server, model = shared_frame_server, wrap(_model(shared_frame_server), lambda: meter)
    _ready(server, memory)
    await model.ainvoke("hi")
    assert [call.cost_usd for call in memory.calls] == [wire.GPT_USD]
    _ready(server, memory, stream=True)
    assert list(model.stream("hi", stream_usage=True))
    assert [call.cost_usd for call in memory.calls] == [wire.GPT_USD]
    _ready(server, memory, stream=True)
    assert [chunk async for chunk in model.astream("hi", stream_usage=True)]
    assert [call.cost_usd for call in memory.calls] == [wire.GPT_USD]
    _ready(server, memory)
    server.json("/v1/chat/completions", wire.GPT)
    model.batch(["a", "b"])
    assert [call.cost_usd for call in memory.calls] == [wire.GPT_USD] * 2


class Word(BaseModel):
    text: str


def test_structured_output(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    model = wrap(_model(shared_frame_server), lambda: meter)
    answer = {**wire.GPT["choices"][0], "message": {"role": "assistant", "content": '{"text":"a"}'}}
    memory.clear()
    shared_frame_server.reset()
    shared_frame_server.json("/v1/chat/completions", {**wire.GPT, "choices": [answer]})
    found = model.with_structured_output(Word, method="json_schema").invoke("hi")
    assert found == Word(text="a")
    assert [call.cost_usd for call in memory.calls] == [wire.GPT_USD]


def test_embeddings_azure_and_anthropic(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    server = shared_frame_server
    server.reset()
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-small",
        api_key="k",
        base_url=f"{server.url}/v1",
        check_embedding_ctx_length=False,
    )
    server.json("/v1/embeddings", wire.EMBEDDING)
    wrap(embeddings, lambda: meter).embed_query("hi")
    claude = ChatAnthropic(model="claude-sonnet-4-5", api_key="k", base_url=server.url)
    server.json("/v1/messages", wire.CLAUDE)
    wrap(claude, lambda: meter).invoke("hi")
    azure = AzureChatOpenAI(
        azure_endpoint=server.url, azure_deployment="mine", api_version="2024-06-01", api_key="k"
    )
    server.json("/openai/deployments/mine/chat/completions", wire.GPT)
    wrap(azure, lambda: meter).invoke("hi")
    assert [(call.last.provider, call.cost_usd) for call in memory.calls] == [
        ("openai", wire.EMBEDDING_USD),
        ("anthropic", wire.CLAUDE_USD),
        ("azure", wire.GPT_USD),
    ]


def test_langchain_and_the_sdk_are_counted_once_langfuse_9344(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    """LL#1787, L#1872, L#9344, dd-trace-py#18868: LangChain plus the SDK were counted twice."""
    model = _model(shared_frame_server)
    wrap(model.root_client, lambda: meter)
    wrap(model, lambda: meter)
    _ready(shared_frame_server, memory)
    wrap(model.invoke, lambda: meter)("hi")
    assert [call.cost_usd for call in memory.calls] == [wire.GPT_USD]
    assert len(memory.calls[-1].requests) == 1


class LikeChatGroq(BaseChatModel):  # type: ignore[misc]  # its types are not in the dev environment
    """Holds its clients as langchain-groq does: a part of each."""

    client: Any = None
    async_client: Any = None

    @property
    def _llm_type(self) -> str:
        return "groq-chat"

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        reply = self.client.create(model="llama-3.3-70b-versatile", messages=wire.ASK)
        return _result(reply.choices[0].message.content)

    async def _agenerate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        reply = await self.async_client.create(model="llama-3.3-70b-versatile", messages=wire.ASK)
        return _result(reply.choices[0].message.content)


class LikeChatGoogle(BaseChatModel):  # type: ignore[misc]  # its types are not in the dev environment
    """Holds its client as langchain-google-genai does: the whole of google-genai's."""

    client: Any = None

    @property
    def _llm_type(self) -> str:
        return "chat-google-generative-ai"

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        reply = self.client.models.generate_content(model="gemini-2.5-flash", contents="hi")
        return _result(reply.text)

    async def _agenerate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        ask = self.client.aio.models.generate_content
        return _result((await ask(model="gemini-2.5-flash", contents="hi")).text)


def _result(text: str) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


async def test_models_like_those_of_groq_and_google(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter
) -> None:
    server = shared_frame_server
    server.reset()
    server.json("/openai/v1/chat/completions", {**wire.GPT, "model": "llama-3.3-70b-versatile"})
    server.json("/v1/models/gemini-2.5-flash:generateContent", wire.GEMINI)
    base: dict[str, Any] = {"api_key": "k", "base_url": server.url}
    models: tuple[BaseChatModel, ...] = (
        LikeChatGroq(
            client=groq.Groq(**base).chat.completions,
            async_client=groq.AsyncGroq(**base).chat.completions,
        ),
        LikeChatGoogle(
            client=genai.Client(api_key="k", http_options={"base_url": server.url}),
        ),
    )
    for model in models:
        assert wrap(model, lambda: meter) is model
        assert model.invoke("hi").content == (await model.ainvoke("hi")).content == "Hello"
        unwrap(model)
        model.invoke("hi")
    # llama-3.3-70b-versatile: 1000 x $0.59 + 10 x $0.79 per million tokens; Groq gives no discount
    # on it for what is cached.
    assert [(call.last.provider, call.cost_usd) for call in memory.calls] == [
        ("groq", Decimal("0.0005979")),
        ("groq", Decimal("0.0005979")),
        ("google", wire.GEMINI_USD),
        ("google", wire.GEMINI_USD),
    ]


def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def agent(model: Any, question: str) -> str:
    """Two hops: the model asks for a tool, is told what it said, and answers."""
    tools = tool(weather)
    with_tools, messages = model.bind_tools([tools]), [HumanMessage(question)]
    while True:
        reply = with_tools.invoke(messages)
        messages.append(reply)
        if not reply.tool_calls:
            return str(reply.content)
        messages.extend(tools.invoke(call) for call in reply.tool_calls)


@pytest.mark.parametrize("whole", [False, True], ids=["each hop", "one wrapped function"])
def test_a_loop_of_tools(
    shared_frame_server: FrameServer, memory: InMemoryExporter, meter: Meter, whole: bool
) -> None:
    server = shared_frame_server
    asked = {"name": "weather", "arguments": '{"city": "Oslo"}'}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": asked}],
    }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    server.reset()
    server.json("/v1/chat/completions", {**wire.GPT, "choices": [choice]})
    server.json("/v1/chat/completions", wire.GPT)
    model = wrap(_model(server), lambda: meter)
    ask = wrap(agent, lambda: meter) if whole else agent
    assert ask(model, "hi") == "Hello"
    assert len(server.requests) == 2
    assert sum(call.cost_usd or 0 for call in memory.calls) == 2 * wire.GPT_USD
    assert [len(call.requests) for call in memory.calls] == ([2] if whole else [1, 1])
    assert memory.calls[0].requests[0].finish_reasons == ("tool_calls",)


def test_a_model_without_a_client_is_refused(meter: Meter) -> None:
    with pytest.raises(TypeError, match="cannot wrap FakeListChatModel: it holds no client"):
        wrap(FakeListChatModel(responses=["a"]), lambda: meter)
