"""``costspan estimate``: what a prompt will use and cost, before anybody sends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import click

from costspan.cli_errors import one_line_errors
from costspan.cli_interrupt import CtrlC

if TYPE_CHECKING:
    from costspan.pricing.catalogue import Catalogue
    from costspan.pricing.types import Estimate

_NOT_THE_BODY = frozenset(("stream", "provider", "api", "meter"))
_HOLDS_A_REQUEST = ("messages", "input", "prompt", "contents")
_IN_A_BATCH = ("body", "params")
"""Where a line of OpenAI's and of Anthropic's batch files keeps the request."""
_AT_MOST = {
    "model limit": "the model's limit",
    "unknown limit": "a guess, as the model's limit is unknown",
}


@click.command()
@click.option("--model", metavar="M", help="For instance anthropic/claude-opus-4-5.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Cap of the answer.")
@click.argument("file", type=click.File("r", encoding="utf-8"))
def estimate(model: str | None, max_tokens: int | None, file: IO[str]) -> None:
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
        found = [costspan.estimate(**request) for request in requests]
        unpriced = [r for r, e in zip(requests, found, strict=True) if e.cost_usd is None]
        why = _why_unpriced(unpriced[0]) if unpriced else ""
    for line in _lines(_total(found), len(found), why):
        click.echo(line)


def _requests(file: IO[str], model: str | None) -> list[dict[str, Any]]:
    """The requests of a file: a text, messages, a request body, or a batch with one a line."""
    try:
        text = file.read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file.name} is not UTF-8 text: {error.reason}") from error
    if not text.strip():
        raise click.ClickException(f"{file.name} is empty: give a text, messages or a request")
    if text.lstrip()[0] not in "[{":
        return [_prompt(text, _named(model, file.name))]
    try:
        return [_of_json(json.loads(text), file.name, model)]
    except json.JSONDecodeError as error:
        lines = text.splitlines()
        if len(lines) < 2 or not error.msg.startswith("Extra data"):
            raise _broken(file.name, error.lineno, error.msg) from error
    except RecursionError as error:
        raise click.ClickException(f"{file.name} is nested too deeply") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    return [_of_line(line, number, file.name, model) for number, line in numbered]


def _prompt(text: str, model: str) -> dict[str, Any]:
    """A text as the one message of a chat, or as what a model embeds."""
    catalogue, provider, bare = _looked_up(model)
    if not catalogue.generates(provider=provider, model=bare, at=datetime.now(UTC)):
        return {"model": model, "input": text, "api": "embeddings"}
    return {"model": model, "messages": [{"role": "user", "content": text}]}


def _looked_up(model: str) -> tuple[Catalogue, str, str]:
    """The catalogue in force, and the provider and model as the estimate looks them up there."""
    from costspan.meter import default_meter
    from costspan.middleware.request import from_arguments

    meter, asked = default_meter(), from_arguments({"model": model})
    alias = meter.aliases.get(asked.model)
    found = (alias.provider, alias.model) if alias else (asked.provider, asked.model)
    return meter.catalogue, *found


def _named(model: object, name: str) -> str:
    if not isinstance(model, str) or not model:
        raise click.UsageError(f"Missing option '--model': {name} names none")
    return model


def _of_json(found: object, name: str, model: str | None) -> dict[str, Any]:
    """A request, or the one line of a batch. The option's model goes before a request's own."""
    if isinstance(found, dict) and any(key in found for key in _IN_A_BATCH):
        return _in_batch(found, name, model)
    request = _request(found, name)
    return {**request, "model": _named(model or request.get("model"), name)}


def _of_line(line: str, number: int, name: str, model: str | None) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _broken(name, number, str(error)) from error
    return _in_batch(found, f"{name}, line {number}", model)


def _in_batch(found: object, name: str, model: str | None) -> dict[str, Any]:
    """A line's request, at the price of batches where the line is of a provider's batch file."""
    inner = next((found[key] for key in _IN_A_BATCH if isinstance(found, dict) and key in found), 0)
    request = _request(inner or found, name)
    tier = {"service_tier": "batch"} if inner else {}
    return {**request, **tier, "model": _named(request.get("model") or model, name)}


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
        return {k: v for k, v in found.items() if k not in _NOT_THE_BODY and v is not None}
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


def _why_unpriced(request: dict[str, Any]) -> str:
    catalogue, provider, model = _looked_up(request["model"])
    if catalogue.knows(provider=provider, model=model, at=datetime.now(UTC)):
        return "the catalogue has no price for all of it"
    why = f"no such model in the catalogue: {request['model']}"
    near = catalogue.near(provider, model)
    if near:
        return f"{why}; did you mean {near[0]}?"
    return why if "/" in request["model"] else f"{why}; write provider/model"


def _lines(found: Estimate, requests: int, why_unpriced: str) -> list[str]:
    from costspan.reports.text import count, safe, usd, usd_decimals

    lines = [
        f"{name:<7} {count(tokens.likely):>10} tokens    {tokens.low:,} to {tokens.high:,}"
        for name, tokens in (("input", found.input_tokens), ("output", found.output_tokens))
    ]
    cost = found.cost_usd
    if cost is None:
        lines.append(f"{'cost':<7} {'unpriced':>10}: {safe(why_unpriced)}")
    else:
        decimals = usd_decimals([cost.likely])
        low, likely, high = (usd(a, decimals) for a in (cost.low, cost.likely, cost.high))
        lines.append(f"{'cost':<7} {likely:>10}           {low} to {high}")
    taken = {name: value for name, value in found.assumptions.items() if name != "output"}
    also = "".join(f", {name} {value}" for name, value in taken.items())
    lines.append(f"{'basis':<7} {found.basis}, confidence of the input {found.confidence}{also}")
    if found.output_tokens.high:
        most = _AT_MOST.get(found.assumptions.get("output", ""), "as asked for")
        lines.append(f"{'answer':<7} length assumed: likely that of a usual answer, high {most}")
    return lines if requests == 1 else [f"{requests:,} requests", *lines]
