"""``costspan estimate``: what a prompt will use and cost, before anybody sends it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC

if TYPE_CHECKING:
    from costspan.pricing.types import Estimate

NOT_THE_BODY = frozenset(("model", "stream", "provider", "api", "meter"))
_HOLDS_A_REQUEST = ("messages", "input", "prompt", "contents")
_IN_A_BATCH = ("body", "params")
"""Where a line of OpenAI's and of Anthropic's batch files keeps the request."""


@click.command()
@click.option("--model", required=True, metavar="M", help="For instance anthropic/claude-opus-4-5.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Cap of the answer.")
@click.argument("file", type=click.File("r", encoding="utf-8"))
def estimate(model: str, max_tokens: int | None, file: IO[str]) -> None:
    """Tokens and cost of a prompt. FILE (- for the input) holds a text, messages or a request
    as JSON, or a batch with one request a line.

    \b
    Examples:
      echo "Tell me a story" | costspan estimate --model gpt-4o -
      costspan estimate --model gpt-4o --max-tokens 500 messages.json
    """
    with one_line_errors(), CtrlC():
        import costspan

        requests = _requests(file, model)
        if max_tokens is not None:
            requests = [{**request, "max_tokens": max_tokens} for request in requests]
        found = [costspan.estimate(model=model, **request) for request in requests]
    for line in _lines(_total(found), len(found)):
        click.echo(line)


def _requests(file: IO[str], model: str) -> list[dict[str, Any]]:
    """The requests of a file: a text, messages, a request body, or a batch with one a line."""
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is not UTF-8 text: {error.reason}") from error
    if not text.strip():
        raise click.ClickException(f"{file.name} is empty: give a text, messages or a request")
    if text.lstrip()[0] not in "[{":
        key, value = ("input", text) if "embed" in model else ("messages", _message(text))
        return [{key: value}]
    try:
        return [_request(json.loads(text), file.name)]
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not error.msg.startswith("Extra data"):
            raise _broken(file.name, error.lineno, error.msg) from error
    except RecursionError as error:
        raise click.ClickException(f"{file.name} is nested too deeply") from error
    return [_batch_line(line, number, file.name) for number, line in enumerate(lines, start=1)]


def _message(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _batch_line(line: str, number: int, name: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise _broken(name, number, str(error)) from error
    inner = next((found[key] for key in _IN_A_BATCH if isinstance(found, dict) and key in found), 0)
    return _request(inner or found, f"{name}, line {number}")


def _broken(name: str, line: int, reason: str) -> click.ClickException:
    return click.ClickException(
        f"{name}, line {line}: begins like JSON and is none ({reason}): mend it, or put a text "
        "before it if it is meant as a prompt"
    )


def _request(found: object, name: str) -> dict[str, Any]:
    """A JSON list of messages, or a request body."""
    if isinstance(found, list) and found and all(isinstance(item, dict) for item in found):
        return {"messages": found}
    if isinstance(found, dict) and any(found.get(key) for key in _HOLDS_A_REQUEST):
        return {k: v for k, v in found.items() if k not in NOT_THE_BODY and v is not None}
    raise click.ClickException(
        f"{name} is JSON but no request: give a list of messages, or an object with one of "
        f"{', '.join(_HOLDS_A_REQUEST)}"
    )


def _total(found: list[Estimate]) -> Estimate:
    """The sum over the requests of a batch; what is known of its worst request holds for all."""
    from costspan.pricing.types import Interval

    if len(found) == 1:
        return found[0]
    tokens = [
        Interval(*(sum(column) for column in zip(*side, strict=True)))
        for side in ([e.input_tokens for e in found], [e.output_tokens for e in found])
    ]
    costs = [e.cost_usd for e in found if e.cost_usd is not None]
    cost = None
    if len(costs) == len(found):
        cost = Interval(*(sum(column, Decimal(0)) for column in zip(*costs, strict=True)))
    worst = max(found, key=lambda e: ("high", "medium", "low").index(e.confidence))
    return worst._replace(input_tokens=tokens[0], output_tokens=tokens[1], cost_usd=cost)


def _lines(found: Estimate, requests: int) -> list[str]:
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
    lines.append(f"{'basis':<7} {found.basis}, confidence of the input {found.confidence}{taken}")
    return lines if requests == 1 else [f"{requests:,} requests", *lines]
