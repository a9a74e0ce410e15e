"""What only the openai SDK 3 has, and the gateways behind its client."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
import wire
from bed import Bed
from openai.lib.responses_tool_runner import RegisteredFunction, ResponsesToolRunner
from stainless import both
from surfaces import Surface, Way, check, rows

from costspan.middleware.wrap import wrap

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
ASKED: dict[str, Any] = {"model": "gpt-4o", "input": "hi"}
RESPONSES_PATH = "/v1/responses"
# gpt-4o-2024-08-06: 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per million tokens.
USD = Decimal("0.003")
PLAIN_USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def async_client(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


SURFACES = both(
    "beta responses",
    (client, async_client),
    ask=lambda c: c.beta.responses.create(**ASKED),
    path=RESPONSES_PATH,
    answer=wire.RESPONSES_BODY,
    provider="openai",
    buckets={"tokens.in.text": 600, "tokens.in.cache_read": 400, "tokens.out.text": 100},
    cost_usd=USD,
)


@pytest.mark.parametrize(("surface", "way"), rows(SURFACES))
def test_surfaces(bed: Bed, surface: Surface, way: Way) -> None:
    check(surface, way, bed)


TOOL: Any = {
    "type": "function",
    "name": "lookup",
    "parameters": {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    },
    "strict": True,
}
WANTS_TOOL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "lookup",
    "arguments": "{}",
    "status": "completed",
}


def test_each_turn_of_a_tool_runner_is_a_call(bed: Bed, shared_frame_server: FrameServer) -> None:
    replies: list[Any] = []
    for wrapped in (False, True):
        shared_frame_server.reset()
        shared_frame_server.json(RESPONSES_PATH, {**wire.RESPONSES_BODY, "output": [WANTS_TOOL]})
        shared_frame_server.json(RESPONSES_PATH, {**wire.RESPONSES_BODY, "id": "resp_2"})
        lookup = RegisteredFunction(TOOL, lambda arguments: "42")
        with client(shared_frame_server.url) as asked:
            if wrapped:
                wrap(asked, lambda: bed.meter)
            bed.memory.clear()
            reply = ResponsesToolRunner(functions=[lookup]).run(
                asked, {"model": "gpt-4o", "input": HI}
            )
            replies.append(repr(reply))

    assert replies[0] == replies[1]
    first, second = bed.calls(2)
    assert (first.last.response_id, second.last.response_id) == ("resp_1", "resp_2")
    assert (first.cost_usd, second.cost_usd) == (USD, USD)


# Host behind an OpenAI client -> provider, model as it is asked for and US dollars of 1,000 prompt
# tokens (none cached) and 100 output tokens: gpt-4o at openrouter $2.50 and $10 per million tokens,
# Llama 3.3 70B at groq $0.59 and $0.79, at together $0.88 and $0.88.
GATEWAYS = [
    ("https://openrouter.ai/api/v1", "openrouter", "openai/gpt-4o", "0.0035"),
    ("https://api.groq.com/openai/v1", "groq", "llama-3.3-70b-versatile", "0.000669"),
    (
        "https://api.together.xyz/v1",
        "together",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "0.000968",
    ),
]


@pytest.mark.parametrize(("url", "provider", "model", "usd"), GATEWAYS)
def test_the_host_tells_the_provider(
    bed: Bed, url: str, provider: str, model: str, usd: str
) -> None:
    body = {**wire.CHAT_BODY, "model": model, "usage": PLAIN_USAGE}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=body))
    bed.memory.clear()
    with openai.OpenAI(
        base_url=url, api_key="k", http_client=httpx2.Client(transport=transport)
    ) as asked:
        wrap(asked, lambda: bed.meter).chat.completions.create(model=model, messages=HI)

    (call,) = bed.calls(1)
    assert (call.last.provider, call.model) == (provider, model)
    assert call.last.endpoint == httpx2.URL(url).host
    assert (call.cost_usd, call.cost_status) == (Decimal(usd), "priced")


def test_counting_tokens_passes_unrecorded(bed: Bed, shared_frame_server: FrameServer) -> None:
    shared_frame_server.reset()
    shared_frame_server.json("/v1/responses/input_tokens", {"object": "x", "input_tokens": 8})
    bed.memory.clear()
    with wrap(client(shared_frame_server.url), lambda: bed.meter) as asked:
        assert asked.responses.input_tokens.count(**ASKED).input_tokens == 8

    assert bed.calls(0) == ()
