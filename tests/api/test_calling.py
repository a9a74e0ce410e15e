"""The public functions: metered completion, conversations, estimates, the default Meter."""

from __future__ import annotations

import logging
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wire

import costspan
from costspan import meter as meters
from costspan.core.errors import NotFoundError
from costspan.middleware.config import ConfigError
from costspan.pricing.types import Cost, Estimate

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
CHAT = "/v1/chat/completions"


def answer() -> dict[str, Any]:
    return {"choices": [], "usage": {}}


def only(memory: costspan.InMemoryExporter) -> Any:
    costspan.flush()
    assert len(memory.calls) == 1
    return memory.calls[0]


def test_completion_fills_cost_and_estimate(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)

    reply = costspan.completion(
        "openai/gpt-4o", HI, base_url=f"{frame_server.url}/v1", api_key="k", max_tokens=7
    )

    assert reply.choices[0].message.content == "One two three."
    assert isinstance(reply.cost, Cost)
    assert isinstance(reply.estimate, Estimate)
    # gpt-4o-2024-08-06: 600 x $2.50 + 400 x $1.25 + 100 x $10 per million tokens.
    assert reply.cost.total == Decimal("0.003")
    assert reply.estimate.output_tokens.high == 7
    call = only(memory)
    assert call.last.provider == "openai"
    assert (call.last.endpoint, call.last.port) == ("127.0.0.1", frame_server.port)
    assert call.cost_usd == Decimal("0.003")


def test_anthropic_through_the_core(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json("/v1/messages", wire.MESSAGE_BODY)

    reply = costspan.completion(
        "anthropic/claude-sonnet-5", HI, base_url=frame_server.url, api_key="k", max_tokens=100
    )

    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (1000, 100)
    # Sonnet 5: 600 x $2 + 400 x $0.20 (cache read) + 100 x $10 per million tokens.
    assert only(memory).cost_usd == Decimal("0.00228")


def test_a_stream_of_the_core(frame_server: FrameServer, memory: costspan.InMemoryExporter) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM)

    with costspan.completion(
        "openai/gpt-4o", HI, stream=True, base_url=f"{frame_server.url}/v1", api_key="k"
    ) as stream:
        text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)

    assert text == "One two three."
    assert isinstance(stream.reply.cost, Cost)
    call = only(memory)
    assert (call.status, call.ended_by, call.streaming) == ("ok", "exhausted", True)
    assert call.cost_usd == Decimal("0.003")
    assert call.ttft_us is not None


def test_a_stream_of_the_core_left_early(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.script(CHAT, frames=wire.CHAT_STREAM, pause_s=0.05)

    with costspan.completion(
        "openai/gpt-4o", HI, stream=True, base_url=f"{frame_server.url}/v1", api_key="k"
    ) as stream:
        next(iter(stream))

    call = only(memory)
    assert call.status == "interrupted"
    assert call.last.usage is not None
    assert call.last.usage.source == "partial"


async def test_acompletion(frame_server: FrameServer, memory: costspan.InMemoryExporter) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    frame_server.script(CHAT, frames=wire.CHAT_STREAM)
    where: dict[str, Any] = {"base_url": f"{frame_server.url}/v1", "api_key": "k"}

    reply = await costspan.acompletion("openai/gpt-4o", HI, **where)
    stream = await costspan.acompletion("openai/gpt-4o", HI, stream=True, **where)
    async with stream:
        chunks = [chunk async for chunk in stream]

    assert isinstance(reply.cost, Cost)
    assert len(chunks) >= 4
    costspan.flush()
    assert [call.cost_usd for call in memory.calls] == [Decimal("0.003")] * 2


def test_an_error_of_the_core_is_a_row(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    with pytest.raises(NotFoundError):
        costspan.completion("openai/gpt-4o", HI, base_url=f"{frame_server.url}/no", api_key="k")

    error = only(memory).error
    assert (error.type, error.http_status) == ("costspan.NotFoundError", 404)


def test_a_conversation_is_metered(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    chat = costspan.ConversationManager(
        "openai/gpt-4o", "Be brief.", base_url=f"{frame_server.url}/v1", api_key="k"
    )

    text, reply = chat.send_message("Count.")

    assert text == "One two three."
    assert reply.cost is not None
    assert [m["role"] for m in chat.get_history()] == ["system", "user", "assistant"]
    assert only(memory).cost_usd == Decimal("0.003")


@pytest.mark.parametrize(
    ("model", "provider"),
    [("gpt-4o", None), ("openai/gpt-4o", None), ("gpt-4o", "openai"), ("gpt-4o", "azure")],
)
def test_estimate_counts_a_plain_chat_exactly(model: str, provider: str | None) -> None:
    # OpenAI's cookbook rule: 3 a message, 1 for the role, "hi" is 1, 3 to prime the reply.
    said = costspan.estimate(model=model, messages=HI, max_tokens=50, provider=provider)

    assert said.input_tokens.likely == 8
    assert said.output_tokens.high == 50
    assert said.basis == "o200k"
    assert said.cost_usd is not None
    # 8 x $2.50 + 50 x $10 per million tokens.
    assert said.cost_usd.high == Decimal("0.00052")


def test_estimate_of_an_unknown_model_has_tokens_and_no_cost() -> None:
    said = costspan.estimate(model="no-such-model", messages=HI)

    assert said.input_tokens.likely > 0
    assert said.cost_usd is None


def test_an_alias_that_leads_nowhere_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    aliases = {"good": "openai/gpt-4o", "local": "ollama/llama3.1", "bad": "openai/gpt-4oo"}
    with caplog.at_level(logging.WARNING, logger="costspan"):
        costspan.Meter(exporters=[], aliases=aliases)

    assert [record.getMessage() for record in caplog.records] == [
        "costspan: alias 'bad' leads to openai/gpt-4oo, which has no price in the catalogue: "
        "its calls will be unpriced. Mend the alias."
    ]


def test_tags_reach_the_record(memory: costspan.InMemoryExporter) -> None:
    ask = costspan.wrap(answer)
    with costspan.tags(feature="x", session_id="s-1", unit_id="ticket-7"):
        ask()

    call = only(memory)
    assert call.tags == {"feature": "x", "session_id": "s-1", "unit_id": "ticket-7"}
    assert (call.session_id, call.unit_id) == ("s-1", "ticket-7")


def test_metadata_of_a_completion_is_tags_and_is_not_sent(
    frame_server: FrameServer, memory: costspan.InMemoryExporter
) -> None:
    frame_server.json(CHAT, answer())
    with costspan.tags(team="search", env="test"):
        costspan.completion(
            "openai/gpt-4o",
            HI,
            base_url=f"{frame_server.url}/v1",
            api_key="k",
            metadata={"env": "prod", "tags": ["feature:summary"]},
        )
    assert "metadata" not in frame_server.requests[0].json
    (call,) = memory.calls
    assert call.tags == {"team": "search", "env": "prod", "feature": "summary"}


def test_servers_of_the_meter_and_of_the_call(memory: costspan.InMemoryExporter) -> None:
    theirs, ours = (
        costspan.Endpoint(name, base_url=f"https://{name}.example/v1", key_required=False)
        for name in ("theirs", "ours")
    )
    meter = costspan.Meter(exporters=[memory], endpoints={"theirs": theirs, "both": theirs})
    for model in ("theirs/m", "ours/m", "both/m"):
        costspan.completion(
            model, HI, meter=meter, endpoints={"ours": ours, "both": ours}, mock_response="Hi"
        )
    assert [call.requests[0].endpoint for call in memory.calls] == [
        "theirs.example",
        "ours.example",
        "ours.example",  # those of the call win
    ]


def test_a_test_may_change_the_default_meter_after_wrapping() -> None:
    ask = costspan.wrap(answer)
    first, second = costspan.InMemoryExporter(), costspan.InMemoryExporter()
    previous = meters.set_default_meter(costspan.Meter(exporters=[first]))
    ask()
    meters.set_default_meter(costspan.Meter(exporters=[second]))
    ask()
    meters.set_default_meter(previous)

    assert (len(first.calls), len(second.calls)) == (1, 1)


def test_a_broken_file_is_said_when_wrapping_and_never_fails_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "costspan.toml"
    ask = costspan.wrap(answer)
    file.write_text("colour = 1")
    monkeypatch.setenv("COSTSPAN_CONFIG", str(file))
    monkeypatch.setenv("COSTSPAN_HOME", str(tmp_path / "home"))
    previous = meters.set_default_meter(None)
    try:
        with pytest.raises(ConfigError, match="unknown key 'colour'"):
            costspan.wrap(answer)
        with caplog.at_level(logging.WARNING, logger="costspan"):
            assert ask() == answer()
    finally:
        made = meters.set_default_meter(previous)
    assert "reading the configuration failed" in caplog.text
    assert made is not None
    assert [type(e).__name__ for e in made.exporters] == ["LedgerExporter", "OTelExporter"]
    made.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"exporters": ["duckdb"]}, "allowed are ledger, otel"),
        ({"billing_mode": "free"}, "allowed are 'metered' and 'plan'"),
        ({"aliases": {"m": "gpt-4o"}}, "does not name provider/model"),
        ({"aliases": {"m": 4}}, "alias 'm': '4' does not name provider/model"),
        ({"exporters": "ledger"}, "exporters 'ledger': give a list of them"),
        ({"exporters": costspan.InMemoryExporter()}, "InMemoryExporter object at .*: give a list"),
        ({"exporters": [print]}, "exporter <built-in function print>: allowed are ledger, otel"),
        ({"tags": "team=search"}, "tags 'team=search': give a mapping"),
        ({"tags": {"a": None}}, "no tag value"),
    ],
)
def test_what_a_meter_cannot_use_is_said(arguments: dict[str, Any], said: str) -> None:
    given = {"exporters": [costspan.InMemoryExporter()], **arguments}
    with pytest.raises(ValueError, match=said):
        costspan.Meter(**given)


@pytest.mark.parametrize("text", ["colour = 1", 'hashed_tags = ["user"]'])
def test_without_a_usable_file_or_key_no_tag_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Which tags were to be hashed stands in the file; without the key they cannot be."""
    ask = costspan.wrap(answer)
    (tmp_path / "costspan.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COSTSPAN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COSTSPAN_HASH_KEY", raising=False)
    previous = meters.set_default_meter(None)
    try:
        with pytest.raises(ConfigError, match=r"colour|COSTSPAN_HASH_KEY is not set"):
            costspan.wrap(answer)
        with costspan.tags(user="alice"):
            assert ask() == answer()
    finally:
        made = meters.set_default_meter(previous)
    assert made is not None
    made.close()
    (segment,) = (tmp_path / "home" / "spool").iterdir()
    assert b'"operation"' in segment.read_bytes()
    assert b"alice" not in segment.read_bytes()


def test_own_prices_that_cannot_be_used_are_said_when_wrapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = tmp_path / "prices.toml"
    monkeypatch.setenv("COSTSPAN_PRICES", str(prices))
    with pytest.raises(ConfigError, match=r"prices\.toml: No such file or directory: mend prices"):
        costspan.wrap(answer)
    prices.write_text('[[prices]]\nprovider = "openai"\n')
    with pytest.raises(ConfigError, match=r"line 1: prices\.model: is missing; see: costspan"):
        costspan.wrap(answer)


def test_calls_are_priced_by_own_prices(tmp_path: Path) -> None:
    """1000 x $1 and 500 x $2 per million."""
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[prices]]\nprovider = "*"\nmodel = "house-7"\n'
        'usd = { "tokens.in.text" = 1, "tokens.out.text" = 2 }\n'
    )
    memory = costspan.InMemoryExporter()
    meter = costspan.Meter(exporters=[memory], home=tmp_path / "home", prices=prices)

    def ask(model: str, messages: list[object]) -> dict[str, object]:
        usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
        return {"object": "chat.completion", "model": model, "choices": [], "usage": usage}

    costspan.wrap(ask, meter=meter)("house-7", [])
    assert only(memory).cost_usd == Decimal("0.002")
