"""Accounting profiles: how one wire format's usage fields become disjoint leaf buckets.

The rules are the rows of ``accounting.csv``; they are compiled once, when first needed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath

from costspan.core.paths import Path

_DATA = FilePath(__file__).with_name("accounting.csv")

FALLBACKS = {
    "chat": "openai/chat",
    "completions": "openai/chat",
    "responses": "openai/responses",
    "realtime": "openai/realtime",
    "images": "openai/images",
    "transcription": "openai/transcription",
    "speech": "openai/speech",
    "ocr": "mistral/ocr",
    "embeddings": "openai/embeddings",
    "messages": "anthropic/messages",
    "invoke-claude": "anthropic/messages",
    "generateContent": "google/generateContent",
    "converse": "aws/converse",
    "cohere-v2": "cohere/cohere-v2",
    "rerank": "cohere/rerank",
    "ollama": "ollama/ollama",
    "gen_ai": "otel/gen_ai",
    "usage": "litellm/usage",
    "interactions": "google/interactions",
}
"""The profile of a wire format when its provider has none of its own: the profile belongs to the
format, never to the model."""

_ANSWER_NOT_IN_TOKENS = ("images", "transcription", "speech")
"""Formats that count the tokens of the answer for some models only."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A bucket that is part of another one.

    Attributes:
        index: Its place in the list of values.
        meter: Its leaf meter.
        ancestors: Places of what it is inside of, nearest first.
        also: Ancestors by a second parent that holds it as well (cached audio is inside the
            cached tokens and inside the audio tokens); empty for most.
    """

    index: int
    meter: str
    ancestors: tuple[int, ...]
    also: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """The compiled rules of one wire format.

    Attributes:
        name: ``provider/api``.
        paths: All ways to each value, the first that leads to something wins.
        top: (key, index) of the values that stand in the usage object itself.
        nested: Per sub-object its (key, index) pairs.
        deep: Per sub-object of a sub-object, named by two keys, the same.
        searched: (keys, indices) of the values that need a real search, which need not be made
            where the usage object has none of the keys.
        meters: (index, leaf meter) of every bucket.
        roots: Indices of the token buckets that are inside nothing: their sum is the whole.
        sides: What every response counts, as (``input`` or ``output``, places): a side is missing
            when none of its places holds a value; its first place takes what the total tells.
        inner: The others, parents before children.
        total: Index of the provider's own grand total, or -1.
        outside: Indices of reasoning buckets that stand outside the output total, with the
            index of that total.
        fees: (meter, whether it stands in the response, keys as above, paths) of what is charged
            by the piece. Where the meter ends in ``.*`` the value names its last part, once; with
            ``?`` it counts once.
        shared: Those of the inner ones that a second parent holds as well.
        select_names: The fields of `Served` that the format tells.
        selects: Of each (whether it stands in the response, its key if it is a plain one, paths).
        camel_case: Whether the wire spells its fields ``likeThis``.
    """

    name: str
    paths: tuple[tuple[Path, ...], ...]
    top: tuple[tuple[str, int], ...]
    nested: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    deep: tuple[tuple[str, str, tuple[tuple[str, int], ...]], ...]
    searched: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]
    meters: tuple[tuple[int, str], ...]
    roots: tuple[int, ...]
    sides: tuple[tuple[str, tuple[int, ...]], ...]
    inner: tuple[Inner, ...]
    total: int
    outside: tuple[tuple[int, int], ...]
    fees: tuple[tuple[str, bool, tuple[str, ...], tuple[Path, ...]], ...]
    shared: tuple[Inner, ...]
    select_names: tuple[str, ...]
    selects: tuple[tuple[bool, str | None, tuple[Path, ...]], ...]
    camel_case: bool


def profile_for(provider: str, api: str) -> Profile | None:
    """Find the profile of a canonical (provider, api) pair, or that of the api alone."""
    table = profiles()
    own = table.get(f"{provider}/{api}")
    if own is None and api == "completions":  # its usage object is that of chat
        own = table.get(f"{provider}/chat")
    return own or table.get(FALLBACKS.get(api, ""))


@cache
def profiles() -> dict[str, Profile]:
    """Compile every profile of ``accounting.csv``, by name, in file order."""
    grouped: dict[str, list[dict[str, str]]] = {}
    with _DATA.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for provider in row["provider"].split("|"):
                for api in row["api"].split("|"):
                    grouped.setdefault(f"{provider}/{api}", []).append(row)
    return {name: _compile(name, rows) for name, rows in grouped.items()}


def _compile(name: str, rows: list[dict[str, str]]) -> Profile:
    values = [r for r in rows if r["leaf_meter"].startswith(_COUNTED) and r["leaf_meter"] != _PART]
    place = {row["usage_path"].split("|")[0]: i for i, row in enumerate(values)}
    paths = tuple(_paths(row["usage_path"]) for row in values)
    top, nested, deep, searched = _access(paths)
    buckets = [(i, r["leaf_meter"]) for i, r in enumerate(values) if r["leaf_meter"] != _TOTAL]
    inner = [_inner(i, values, place) for i, _ in buckets if values[i]["inside_of"]]
    totals = [i for i, row in enumerate(values) if row["leaf_meter"] == _TOTAL]
    outer = [(i, r["leaf_meter"]) for i, r in enumerate(values) if not r["inside_of"]]
    roots = tuple(i for i, meter in outer if meter.startswith("tokens."))
    output = [i for i in roots if values[i]["leaf_meter"] == "tokens.out.text"]
    reasoning = [i for i in roots if values[i]["leaf_meter"] == "tokens.out.reasoning"]
    fees = [row for row in rows if row["leaf_meter"].startswith("fee.")]
    selects = [row for row in rows if row["leaf_meter"].startswith(("select.", "reported."))]
    return Profile(
        name=name,
        paths=paths,
        top=top,
        nested=nested,
        deep=deep,
        searched=searched,
        meters=tuple(buckets),
        roots=roots,
        sides=_sides(name.partition("/")[2], outer),
        inner=tuple(sorted(inner, key=lambda node: len(node.ancestors))),
        total=totals[0] if totals else -1,
        outside=tuple((i, output[0]) for i in reasoning if output),
        fees=tuple(
            (row["leaf_meter"], ways[0].of_response, _first_keys(ways), ways)
            for row in fees
            for ways in [_paths(row["usage_path"])]
        ),
        shared=tuple(node for node in inner if node.also),
        select_names=tuple(row["leaf_meter"].partition(".")[2] for row in selects),
        selects=tuple(_select(_paths(row["usage_path"])) for row in selects),
        camel_case=any(key != key.lower() for key, _ in top),
    )


def _sides(api: str, outer: Iterable[tuple[int, str]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Name the sides that a complete usage object of a format counts.

    Where an answer is counted too, both sides are plain text first of all. Elsewhere the input
    may be told in any unit: seconds, characters, tokens of an image.
    """
    prompts = tuple(i for i, m in outer if not m.startswith(("tokens.out.", "total.")))
    texts = {meter: i for i, meter in reversed(list(outer))}
    if "tokens.in.text" not in texts:
        return ()
    if "tokens.out.text" not in texts or api in _ANSWER_NOT_IN_TOKENS:
        return (("input", prompts),)
    return (("input", (texts["tokens.in.text"],)), ("output", (texts["tokens.out.text"],)))


_TOTAL = "total.all"
_PART = "total.part"
_COUNTED = ("tokens.", "seconds.", "chars.", "pages.", "messages.", "total.")


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path.parse(one) for one in text.split("|"))


def _select(paths: tuple[Path, ...]) -> tuple[bool, str | None, tuple[Path, ...]]:
    """Say how one field is read: by a plain key, or by a search along its paths."""
    first = paths[0]
    plain = len(paths) == 1 and len(first.steps) == 1 and not first.steps[0].filters
    return first.of_response, first.steps[0].key if plain else None, paths


def _access(
    paths: Iterable[tuple[Path, ...]],
) -> tuple[
    tuple[tuple[str, int], ...],
    tuple[tuple[str, tuple[tuple[str, int], ...]], ...],
    tuple[tuple[str, str, tuple[tuple[str, int], ...]], ...],
    tuple[tuple[tuple[str, ...], tuple[int, ...]], ...],
]:
    """Sort the values by how they are read: directly, in a sub-object or one in it, by a search."""
    top: list[tuple[str, int]] = []
    nested: dict[str, list[tuple[str, int]]] = {}
    deep: dict[tuple[str, str], list[tuple[str, int]]] = {}
    searched: dict[tuple[str, ...], list[int]] = {}
    for index, ways in enumerate(paths):
        keys = ways[0].plain_keys
        if keys is None or len(ways) > 1:
            searched.setdefault(_first_keys(ways), []).append(index)
        elif len(keys) == 1:
            top.append((keys[0], index))
        elif len(keys) == 2:
            nested.setdefault(keys[0], []).append((keys[1], index))
        else:
            deep.setdefault((keys[0], keys[1]), []).append((keys[2], index))
    return (
        tuple(top),
        tuple((key, tuple(pairs)) for key, pairs in nested.items()),
        tuple((*keys, tuple(pairs)) for keys, pairs in deep.items()),
        tuple((keys, tuple(indices)) for keys, indices in searched.items()),
    )


def _first_keys(ways: tuple[Path, ...]) -> tuple[str, ...]:
    """Give the first keys of the ways to a value, all of which start at the same object."""
    assert len({path.of_response for path in ways}) == 1
    return tuple(dict.fromkeys(path.steps[0].key for path in ways))


def _inner(index: int, values: list[dict[str, str]], place: Mapping[str, int]) -> Inner:
    first, _, second = values[index]["inside_of"].partition("&")
    return Inner(
        index=index,
        meter=values[index]["leaf_meter"],
        ancestors=_ancestors(first, values, place),
        also=_ancestors(second, values, place) if second else (),
    )


def _ancestors(
    path: str, values: list[dict[str, str]], place: Mapping[str, int]
) -> tuple[int, ...]:
    chain = []
    while path:
        chain.append(place[path])
        path = values[place[path]]["inside_of"].partition("&")[0]
    return tuple(chain)
