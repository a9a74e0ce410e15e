"""Imports a LiteLLM price map, or what is passed to ``litellm.register_model``, as own prices."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import NamedTuple

from costspan.core.naming import canonical_provider
from costspan.pricing.litellm_entry import Entry, Rates
from costspan.pricing.litellm_keys import Condition, table
from costspan.pricing.matching import forms
from costspan.pricing.meters import meters
from costspan.pricing.overlay_schema import provider as allowed_provider
from costspan.pricing.rates import EXACT

SOURCE = "LiteLLM price map, imported"

_DOCUMENTATION = "sample_spec"
_PATHS = ("accounts/", "models/", "projects/", "publishers/")
_WHOLE_PROVIDER = "container"
"""The key under which LiteLLM prices a provider's code sessions, whatever the model."""


class MapError(ValueError):
    """A text that is no price map: what it is instead, where, and what to do."""


class Imported(NamedTuple):
    """A price map as own prices.

    Attributes:
        toml: The tables; empty when nothing is left to import.
        models: How many models are priced.
        rows: How many rates.
        left_out: Keys of the map whose models the catalogue prices already.
        skipped: Field that has no meter here -> keys that carry it.
        problems: One line each: key, field, what is wrong, what is allowed. A model that has one
            is not imported: a price read by half would be a wrong one.
    """

    toml: str
    models: int
    rows: int
    left_out: tuple[str, ...]
    skipped: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...]


class _Name(NamedTuple):
    """What a key of the map names, and how directly: of two keys for one model the higher holds."""

    provider: str
    model: str
    region: str
    directness: int


class _Priced(NamedTuple):
    """What the map says of a model at a place."""

    key: str
    name: _Name
    rates: Rates
    notes: tuple[str, ...]


class _Findings(NamedTuple):
    """What is gathered on the way; see `Imported`."""

    skipped: dict[str, list[str]]
    left_out: list[str]
    problems: list[str]


def import_map(
    text: str,
    *,
    valid_from: date | None,
    known: Callable[[str, str], bool],
    everything: bool = False,
) -> Imported:
    """Turn a LiteLLM price map into own prices.

    Args:
        text: JSON in the shape of LiteLLM's ``model_prices_and_context_window.json``.
        valid_from: The day from which the prices hold, UTC; None for always.
        known: Says whether the catalogue prices a model, by canonical provider and model.
        everything: Whether to import what the catalogue prices too.

    Raises:
        MapError: The text is no JSON, or no such map.
    """
    findings = _Findings({}, [], [])
    chosen: dict[tuple[str, str, str], _Priced] = {}
    for key, fields in _entries(text, findings.problems):
        priced = _priced(key, fields, findings)
        if priced is None:
            continue
        provider, model, region, _ = priced.name
        if not everything and known(provider, model):
            findings.left_out.append(key)
        else:
            at = (provider, model, region)
            chosen[at] = _preferred(chosen[at], priced) if at in chosen else priced
    return Imported(
        toml="\n".join(one for priced in chosen.values() for one in _tables(priced, valid_from)),
        models=len({one.name[:2] for one in chosen.values()}),
        rows=sum(len(some) for one in chosen.values() for some in one.rates.values()),
        left_out=tuple(findings.left_out),
        skipped={field: tuple(keys) for field, keys in sorted(findings.skipped.items())},
        problems=tuple(findings.problems),
    )


def _priced(key: str, fields: Mapping[str, object], findings: _Findings) -> _Priced | None:
    """Read an entry; None where it has no price that can be used, and what of it is told."""
    prefix, slash, _ = key.partition("/")
    said = str(fields.get("litellm_provider") or (prefix if slash else ""))
    entry = Entry(fields, said)
    for field in dict.fromkeys(entry.skipped):
        findings.skipped.setdefault(field, []).append(key)
    findings.problems.extend(f"{_shown(key)}: {problem}" for problem in entry.problems)
    if entry.problems or not any(entry.rates.values()):
        return None
    source = fields.get("source")
    notes = (source,) if isinstance(source, str) and source.isprintable() and source.strip() else ()
    try:
        return _Priced(key, _name(key, said), entry.rates, notes)
    except ValueError as error:
        findings.problems.append(f"{_shown(key)}: {error}")
        return None


def _entries(text: str, problems: list[str]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Read the map; an entry that is none is a problem, and a map without any an error."""
    try:
        raw = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except json.JSONDecodeError as error:
        raise MapError(
            f"line {error.lineno}, column {error.colno}: this is no JSON ({error.msg}); give "
            "LiteLLM's model_prices_and_context_window.json, or what you pass to "
            "litellm.register_model written by json.dump"
        ) from error
    if not isinstance(raw, dict) or (raw and not any(isinstance(v, dict) for v in raw.values())):
        raise MapError(
            "line 1, column 1: this is no price map; write an object with an object for each "
            'model: {"together_ai/my-model": {"input_cost_per_token": 0.0000006}}'
        )
    for key, fields in raw.items():
        if not isinstance(fields, dict):
            problems.append(f"{_shown(key)}: is no entry: write an object of fields")
        elif key != _DOCUMENTATION:
            yield key, fields


def _name(key: str, said: str) -> _Name:
    """Read a key: LiteLLM's prefix, a place perhaps, and the model."""
    if not said:
        raise ValueError("litellm_provider: is missing: give it, or write provider/model as key")
    provider = _provider(said)
    try:
        allowed_provider(provider)
    except ValueError as error:
        raise ValueError(f"litellm_provider: {said!r}: {error}") from error
    prefix, slash, rest = key.partition("/")
    prefixed = bool(slash) and (_provider(prefix) == provider or prefix.replace("-", "_") == said)
    model, region = _place(provider, rest if prefixed else key)
    direct = model == rest and canonical_provider(prefix) == provider
    directness = 2 if direct else 1 if model == key else 0
    model = _spelled(provider, model)
    if not model.strip() or not model.isprintable():
        raise ValueError(f"{model!r} is no name of a model; give it one in printable letters")
    return _Name(provider, model, region, directness)


def _provider(said: str) -> str:
    for row in table("provider"):
        if fnmatchcase(said, row["name"]):
            return row["meaning"]
    return canonical_provider(said)


def _place(provider: str, model: str) -> tuple[str, str]:
    """Take the place of processing off a model: ``eu/gpt-5``, ``us-west-2/anthropic.claude-3``."""
    first, slash, rest = model.partition("/")
    for row in table("place"):
        if slash and row["providers"] == provider and fnmatchcase(first, row["name"]):
            return rest, first if row["meaning"] == "=" else row["meaning"]
    return model, ""


def _spelled(provider: str, model: str) -> str:
    """Spell a model as the catalogue does: without a resource path, a version without ``@``."""
    if model == _WHOLE_PROVIDER:
        return "*"
    for form in forms(provider, model):
        if not form.startswith(_PATHS) and "@" not in form[1:]:
            return form
    return model.lower()


def _preferred(first: _Priced, second: _Priced) -> _Priced:
    """Keep one of two keys for a model: as LiteLLM does, the one with the prefix first."""
    kept, other = first, second
    if second.name.directness > first.name.directness:
        kept, other = second, first
    if kept.rates == other.rates:
        return kept
    return kept._replace(notes=(*kept.notes, f"{other.key} says otherwise"))


def _tables(priced: _Priced, valid_from: date | None) -> Iterator[str]:
    """Write the tables of a model: one for each condition."""
    name = priced.name
    for condition, rates in sorted(priced.rates.items()):
        if not rates:
            continue
        lines = [
            "[[prices]]",
            f"provider = {_quoted(name.provider)}",
            f"model = {_quoted(name.model)}",
            *([f"valid_from = {valid_from.isoformat()}"] if valid_from else []),
            *([f"tier = {_quoted(condition.tier)}"] if condition.tier else []),
            *([f"region = {_quoted(name.region)}"] if name.region else []),
            *_band(name.provider, condition),
            f"usd = {{ {', '.join(_amounts(rates))} }}",
            f"source = {_quoted(SOURCE)}",
            *([f"note = {_quoted('; '.join(priced.notes))}"] if priced.notes else []),
        ]
        yield "\n".join(lines) + "\n"


def _band(provider: str, condition: Condition) -> Iterator[str]:
    if condition.over >= 0:
        yield f"band_over = {condition.over}"
        if any(row["name"] == provider for row in table("inclusive")):
            yield "band_inclusive = true"


def _amounts(rates: Mapping[str, Decimal]) -> Iterator[str]:
    for meter, usd in rates.items():
        known = meters().get(meter)
        amount = EXACT.scaleb(usd, 6) if known and known.per == 1_000_000 else usd
        whole, _, fraction = f"{amount:f}".partition(".")
        fraction = fraction.rstrip("0")
        yield f"{_quoted(meter)} = {whole}{'.' if fraction else ''}{fraction}"


def _quoted(text: str) -> str:
    """Write a TOML string: of printable letters, JSON's form is TOML's too."""
    return json.dumps(text, ensure_ascii=False)


def _shown(key: str) -> str:
    return key if key.isprintable() else repr(key)
