"""Whose calls are meant: by tag or session, in the database's words and in those of a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from costspan.exporters.ledger.publish import pointer
from costspan.exporters.ledger.row import storable

COLUMNS = ("session_id", "unit_id")
"""Tags that have a column too."""


@dataclass(frozen=True, slots=True)
class Trait:
    """One thing that the calls of a person have in common.

    Attributes:
        tag: The name of the tag.
        values: What it may be: the value, and the hash that stands for it.
    """

    tag: str
    values: tuple[str, ...]

    def found_in(self, columns: Mapping[str, object]) -> bool:
        """Whether the columns of a call have it."""
        tags = columns.get("tags")
        held = [tags.get(storable(self.tag))] if isinstance(tags, Mapping) else []
        if self.tag in COLUMNS:
            held.append(columns.get(self.tag))
        wanted = [storable(value) for value in self.values]
        return any(_text(value) in wanted for value in held if value is not None)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose calls are meant: those that have all of the traits."""

    traits: Sequence[Trait]

    def condition(self) -> tuple[str, dict[str, object]]:
        """The SQL condition on ``calls``, true or false and never NULL, and its parameters."""
        parts: list[str] = []
        values: dict[str, object] = {}
        for number, trait in enumerate(self.traits):
            known = [storable(value) for value in trait.values]
            values |= {f"tag{number}": pointer(storable(trait.tag)), f"is{number}": known}
            held = [f"json_extract_string(tags, $tag{number})"]
            held += [trait.tag] if trait.tag in COLUMNS else []
            found = (f"coalesce(list_contains($is{number}, {one}), false)" for one in held)
            parts.append(f"({' OR '.join(found)})")
        return " AND ".join(parts), values

    def made(self, line: bytes) -> bool:
        """Whether a line is a call of the person's, or damaged and tells of the person."""
        if not line.strip():
            return False
        try:
            columns = orjson.loads(line)
        except ValueError:
            return self._named_in(line)
        return isinstance(columns, dict) and all(one.found_in(columns) for one in self.traits)

    def mentioned_in(self, content: bytes) -> bool:
        """Whether a file holds one of the values as a JSON text of its own."""
        return any(
            form in content
            for trait in self.traits
            for value in trait.values
            for form in _forms(value)
        )

    def _named_in(self, line: bytes) -> bool:
        """Whether a line that is no JSON holds all values, each as a word of its own."""
        return all(
            any(_word(f[1:-1]).search(line) for value in trait.values for f in _forms(value))
            for trait in self.traits
        )


def _forms(value: str) -> tuple[bytes, bytes]:
    """The forms that a text takes in JSON, quotes included: in UTF-8 and in ASCII."""
    text = storable(value)
    return json.dumps(text, ensure_ascii=False).encode(), json.dumps(text).encode()


def _word(form: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![0-9A-Za-z])" + re.escape(form) + rb"(?![0-9A-Za-z])")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
