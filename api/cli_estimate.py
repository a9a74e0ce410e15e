"""``costspan estimate``: what a prompt will use and cost, before anybody sends it."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC

if TYPE_CHECKING:
    from costspan.pricing.types import Estimate

BODY = ("messages", "system", "tools", "max_tokens")
"""What is taken of a request body; the rest has no part in the count."""


@click.command()
@click.option("--model", required=True, metavar="M", help="For instance anthropic/claude-opus-4-5.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Cap of the answer.")
@click.argument("file", type=click.File("r", encoding="utf-8"))
def estimate(model: str, max_tokens: int | None, file: IO[str]) -> None:
    """Tokens and cost of a prompt. FILE (- for the input) holds a text, or messages as JSON.

    \b
    Examples:
      echo "Tell me a story" | costspan estimate --model gpt-4o -
      costspan estimate --model gpt-4o --max-tokens 500 messages.json
    """
    with one_line_errors(), CtrlC():
        import costspan

        asked = _asked(file)
        if max_tokens is not None:
            asked["max_tokens"] = max_tokens
        found = costspan.estimate(model=model, **asked)
    for line in _lines(found):
        click.echo(line)


def _asked(file: IO[str]) -> dict[str, Any]:
    """A JSON list of messages, or a request body with ``messages``; other text is a prompt."""
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is not UTF-8 text: {error.reason}") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if _are_messages(found):
        return {"messages": found}
    if isinstance(found, dict) and _are_messages(found.get("messages")):
        return {name: found[name] for name in BODY if found.get(name) is not None}
    return {"messages": [{"role": "user", "content": text}]}


def _are_messages(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(item, dict) for item in found)


def _lines(found: Estimate) -> list[str]:
    from costspan.reports.text import count, usd, usd_decimals

    lines = [
        f"{name:<7} {count(tokens.likely):>10} tokens    {tokens.low:,} to {tokens.high:,}"
        for name, tokens in (("input", found.input_tokens), ("output", found.output_tokens))
    ]
    cost = found.cost_usd
    if cost is None:
        lines.append(f"{'cost':<7} {'unpriced':>10}")
    else:
        decimals = usd_decimals([cost.likely])
        low, likely, high = (usd(a, decimals) for a in (cost.low, cost.likely, cost.high))
        lines.append(f"{'cost':<7} {likely:>10}           {low} to {high}")
    taken = "".join(f", {name} {value}" for name, value in found.assumptions.items())
    return [*lines, f"{'basis':<7} {found.basis}, confidence {found.confidence}{taken}"]
