"""The demo: a dozen real calls to a real model on this machine, priced, recorded, reported."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import costspan
from costspan.local_model import INSTALL, MODEL, missing_packages, serve

if TYPE_CHECKING:
    from rich.console import Console

    from costspan.middleware.record import Call

PRICED_AS = "openai/gpt-4.1-mini"
SYSTEM = "You are a helpful assistant. Answer briefly."
HOME = ".costspan-demo"


class Narrator:
    """An exporter that prints each call as it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.calls = 0

    def finish(self, record: Call) -> None:
        """Print one line: what was called, tokens estimated and real, cost, time, how it ended."""
        self.calls += 1
        usage, said = record.last.usage, record.estimate
        real = usage.input_tokens if usage else None
        out = usage.output_tokens if usage else None
        cost = "-" if record.cost_usd is None else f"${record.cost_usd:.6f}"
        mark = {"ok": "green", "error": "red"}.get(record.status, "yellow")
        self._console.print(
            f"{self.calls:>2} {record.tags.get('step', ''):<27}"
            f"{said.input_tokens.likely if said else '-':>5} → {'-' if real is None else real:<4}"
            f"{'-' if out is None else out:>5} {cost:>10} {record.latency_us / 1e6:>6.2f} s  "
            f"[{mark}]{record.status}[/]",
            highlight=False,
        )


def main(home: str | None = None) -> int:
    """Run the demo.

    Args:
        home: Folder of its ledger; by default ``COSTSPAN_HOME``, else a folder of its own here.

    Returns:
        Exit status: 0, or 1 when the packages it needs are missing.
    """
    if missing := missing_packages() + _missing_sdks():
        print(
            f"costspan demo: {', '.join(missing)} not installed. Type: {INSTALL}", file=sys.stderr
        )
        return 1
    from rich.console import Console

    console = Console()
    folder = home or os.environ.get("COSTSPAN_HOME") or HOME
    started = datetime.now(UTC)
    narrator = Narrator(console)
    meter = costspan.Meter(
        home=folder,
        exporters=[narrator, "ledger", "otel"],
        aliases={MODEL: PRICED_AS},
    )
    with contextlib.ExitStack() as stack:
        with console.status("Starting a real model on this machine (SmolLM2, 135M) ..."):
            costspan.estimate(model=PRICED_AS, messages=[], meter=meter)  # loads the vocabulary
            url = stack.enter_context(serve())
        stack.callback(meter.close)
        _introduce(console, url)
        run_calls(url, meter)
    _report(console, folder, started)
    return 0


def _missing_sdks() -> list[str]:
    from importlib.util import find_spec

    return [name for name in ("openai", "anthropic") if find_spec(name) is None]


def _introduce(console: Console, url: str) -> None:
    console.print(
        f"A real model answers at {url}.\n"
        f"It is free, so its calls are priced [bold]as if[/bold] they were {PRICED_AS}.\n",
        highlight=False,
    )
    console.print(
        f"[dim]{'':>2} {'':<27}{'tokens in':<12}{'out':>5} {'cost':>10} {'time':>8}\n"
        f"{'':>2} {'call':<27}{'  est → real':<12}[/dim]",
        highlight=False,
    )


def run_calls(url: str, meter: Any) -> None:
    """Make the demo's calls.

    Args:
        url: Base URL of the model, without ``/v1``.
        meter: The Meter that watches them.
    """
    import anthropic
    import openai

    client = costspan.wrap(openai.OpenAI(base_url=f"{url}/v1", api_key="none"), meter=meter)
    claude = costspan.wrap(anthropic.Anthropic(base_url=url, api_key="none"), meter=meter)
    with costspan.tags(feature="chat"):
        _step("openai, plain", lambda: _openai_plain(client))
        _step("openai, streamed", lambda: _openai_stream(client))
        _step("openai, stream left early", lambda: _openai_stream(client, leave_after=6))
        _step("openai, responses api", lambda: _openai_responses(client))
        _step("openai, unknown path: fails", lambda: _openai_fails(client))
        _step("anthropic, plain", lambda: _anthropic_plain(claude))
        _step("anthropic, stream helper", lambda: _anthropic_stream(claude))
    with costspan.tags(feature="summary"):
        asyncio.run(_asynchronous(url, meter))
    with costspan.tags(feature="conversation"):
        _conversation(url, meter)


def _step(name: str, function: Callable[[], object]) -> None:
    with costspan.tags(step=name):
        function()


def _messages(text: str) -> list[Any]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]


def _openai_plain(client: Any) -> None:
    client.chat.completions.create(
        model=MODEL, messages=_messages("What is the capital of France?"), max_tokens=24
    )


def _openai_stream(client: Any, leave_after: int | None = None) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=_messages("Name three animals that live in the sea."),
        max_tokens=32,
        stream=True,
        stream_options={"include_usage": True},
    )
    with stream:
        for number, _ in enumerate(stream):
            if number == leave_after:
                break


def _openai_responses(client: Any) -> None:
    client.responses.create(
        model=MODEL, instructions=SYSTEM, input="Say hello in Spanish.", max_output_tokens=16
    )


def _openai_fails(client: Any) -> None:
    import openai

    lost = client.with_options(base_url=f"{client.base_url}no-such-path/", max_retries=0)
    with contextlib.suppress(openai.NotFoundError):
        lost.chat.completions.create(model=MODEL, messages=_messages("Is anybody there?"))


def _anthropic_plain(client: Any) -> None:
    client.messages.create(
        model=MODEL,
        system=SYSTEM,
        messages=[{"role": "user", "content": "What is two plus two?"}],
        max_tokens=16,
    )


def _anthropic_stream(client: Any) -> None:
    with client.messages.stream(
        model=MODEL,
        system=SYSTEM,
        messages=[{"role": "user", "content": "Write one sentence about the moon."}],
        max_tokens=32,
    ) as stream:
        for _ in stream.text_stream:
            pass


async def _asynchronous(url: str, meter: Any) -> None:
    import anthropic
    import openai

    async with (
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client,
        anthropic.AsyncAnthropic(base_url=url, api_key="none") as claude,
    ):
        costspan.wrap(client, meter=meter)
        costspan.wrap(claude, meter=meter)
        text = "Summarise: the cat sat on the mat, then it slept."

        async def first() -> None:
            with costspan.tags(step="openai, async"):
                await client.chat.completions.create(
                    model=MODEL, messages=_messages(text), max_tokens=24
                )

        async def second() -> None:
            with costspan.tags(step="anthropic, async, streamed"):
                async for _ in await claude.messages.create(
                    model=MODEL,
                    system=SYSTEM,
                    messages=[{"role": "user", "content": text}],
                    max_tokens=24,
                    stream=True,
                ):
                    pass

        await asyncio.gather(first(), second())


def _conversation(url: str, meter: Any) -> None:
    chat = costspan.ConversationManager(
        f"openai/{MODEL}",
        SYSTEM,
        meter=meter,
        base_url=f"{url}/v1",
        api_key="none",
        max_tokens=24,
    )
    for turn, text in enumerate(("My name is Ada.", "What do I like?", "Say goodbye."), start=1):
        with costspan.tags(step=f"our own completion, turn {turn}"):
            chat.send_message(text)


def _report(console: Console, folder: str, started: datetime) -> None:
    """The spend report of this run, by model and by tag, and what to type next."""
    from costspan.exporters.home import resolve_home
    from costspan.exporters.ledger.read import open_ledger
    from costspan.reports import render
    from costspan.reports.calls import newest_calls
    from costspan.reports.estimates import estimate_errors
    from costspan.reports.period import Period
    from costspan.reports.screen import Screen
    from costspan.reports.spend import spend

    screen = Screen.of(sys.stdout, os.environ)
    period = Period(since=started)
    home = resolve_home(folder)
    with open_ledger(home.path) as reader:
        for by in ("model", "tag:feature"):
            sys.stdout.write("\n" + render.spend_table(spend(reader, by, period), screen))
        errors = estimate_errors(reader, period)
        sys.stdout.write("\n" + render.estimates_table(errors, period, screen))
        newest = newest_calls(reader, 1, period)[0].call_id[-12:]
    where = f"--home {folder}" if "COSTSPAN_HOME" not in os.environ else ""
    command = _command()
    console.print(
        f"""
Priced as {PRICED_AS}: a bill you would have had, not one you have.
The ledger lies in {home.path}. Type next:

  {command} calls {where}
  {command} report --by tag:step {where}
  {command} explain {newest} {where}

and in your own program:  client = costspan.wrap(openai.OpenAI())""",
        highlight=False,
        soft_wrap=True,
    )


def _command() -> str:
    """How to type our command here: by its name, or by its path where the shell has no such."""
    if shutil.which("costspan"):
        return "costspan"
    return os.path.relpath(Path(sys.executable).with_name("costspan"))


if __name__ == "__main__":
    raise SystemExit(main())
