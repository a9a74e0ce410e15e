"""Structured output: what asks a model for JSON of a shape, and what reads its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakKeyDictionary

from costspan.core.errors import BadRequestError, JSONSchemaValidationError
from costspan.core.strict_schema import is_open, strict_schema
from costspan.core.types import JSON

if TYPE_CHECKING:
    from costspan.core.reply import Choice

_FENCED = re.compile(r"```(?:json|JSON)?\s*\n(.*)```", re.DOTALL)
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST_NAME = 64
_MOST_FAULTS = 10


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the JSON in an answer.

    Attributes:
        model: The pydantic model class that the answer must fit; None for any JSON.
        provider, asked: Who was asked, and for which model, for the errors.
    """

    model: Any = None
    provider: str | None = None
    asked: str | None = None

    def read(self, choice: Choice) -> Any:
        """The instance of the model class, or the decoded JSON.

        Returns:
            None where the model wants tools called first.

        Raises:
            JSONSchemaValidationError: The answer is no JSON or does not fit; ``text`` holds it.
        """
        message = choice.message
        text = message.content or ""
        if message.refusal or not text.strip():
            if message.tool_calls and not message.refusal:
                return None
            self._fail(choice, text, "the answer is empty")
        try:
            found, value = _decoded(text)
        except (ValueError, RecursionError):
            self._fail(choice, text, "the answer is no JSON")
        if self.model is None:
            return value
        try:
            return self.model.model_validate_json(found)
        except ValueError as error:
            said = f"the answer does not fit {self.model.__name__}"
            self._fail(choice, text, said + _faults(error, self.model))

    def _fail(self, choice: Choice, text: str, reason: str) -> NoReturn:
        # Not chained in sight: pydantic's message quotes the answer, which must not get into logs.
        raise JSONSchemaValidationError(
            f"{_cause(choice)}{reason}. The whole text is the error's `text`",
            text=text,
            provider=self.provider,
            model=self.asked,
        ) from None


def _cause(choice: Choice) -> str:
    """What explains an answer that cannot be read, where the provider says it."""
    if choice.message.refusal:
        return "the model refused to answer (see message.refusal): "
    if choice.finish_reason == "length":
        return "the answer was cut at the bound of the output (raise max_tokens): "
    if choice.finish_reason == "content_filter":
        return "the provider's content filter stopped the answer: "
    return ""


def _decoded(text: str) -> tuple[str, Any]:
    """The JSON text in an answer, the whole of it or what stands in its code fence, and its value.

    Raises:
        ValueError: It is none.
    """
    fenced = _FENCED.search(text)
    for candidate in (text, fenced[1]) if fenced else (text,):
        try:
            return candidate, json.loads(candidate, parse_constant=_no_constant)
        except ValueError:
            continue
    raise ValueError("no JSON")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _faults(error: ValueError, model: Any) -> str:
    """Where the answer does not fit and how, without a word of the answer itself.

    Names that the schema does not have come from the answer: they are not shown.
    """
    faults = getattr(error, "errors", None)
    if not callable(faults):
        return ""
    known = set(_property_names(model.model_json_schema()))
    found = [
        f"{'.'.join(_shown(at, known) for at in fault['loc']) or 'the whole'} ({fault['type']})"
        for fault in faults(include_url=False, include_context=False, include_input=False)
    ]
    more = ", ..." if len(found) > _MOST_FAULTS else ""
    return f": {', '.join(found[:_MOST_FAULTS])}{more}"


def _shown(at: object, known: Set[object]) -> str:
    return str(at) if isinstance(at, int) or at in known else "*"


def _property_names(schema: object) -> Iterable[str]:
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            yield from properties
        for each in schema.values():
            yield from _property_names(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _property_names(each)


def wire_format(response_format: object) -> tuple[JSON, Reader | None]:
    """A ``response_format`` as the wire formats have it, and what reads the answer.

    Args:
        response_format: ``{"type": "json_object"}``, ``{"type": "json_schema", "json_schema":
            {...}}``, another mapping that the provider knows, or a pydantic model class.

    Returns:
        The mapping for the request, and the reader; None for formats that are not JSON.

    Raises:
        BadRequestError: It is none of these.
    """
    if isinstance(response_format, Mapping):
        kind = response_format.get("type")
        if kind == "json_schema" and not isinstance(response_format.get("json_schema"), Mapping):
            raise BadRequestError(
                "response_format of type json_schema needs "
                "{'json_schema': {'name': ..., 'schema': {...}}}"
            )
        wanted = kind in ("json_object", "json_schema")
        return response_format, Reader() if wanted else None
    if is_model(response_format):
        return _model_format(response_format), Reader(response_format)
    raise BadRequestError(
        f"response_format={response_format!r} is none: give {{'type': 'json_object'}}, "
        "{'type': 'json_schema', 'json_schema': {...}} or a pydantic model class"
    )


def is_model(response_format: object) -> bool:
    """Whether it is a pydantic model class, told by what it can do."""
    return isinstance(response_format, type) and all(
        hasattr(response_format, name) for name in ("model_json_schema", "model_validate_json")
    )


_formats: WeakKeyDictionary[type, JSON] = WeakKeyDictionary()
"""What was made of model classes: pydantic makes the schema anew each time, in 0.1 ms or more."""


def _model_format(model: Any) -> JSON:
    found = _formats.get(model)
    if found is None:
        found = _formats[model] = _made_format(model)
    return found


def _made_format(model: Any) -> JSON:
    schema: JSON = model.model_json_schema()
    name = _NOT_IN_A_NAME.sub("_", model.__name__).strip("_")[:_LONGEST_NAME]
    found = strict_schema(schema)
    wanted = {"name": name, "schema": found, "strict": not is_open(found)}
    return {"type": "json_schema", "json_schema": wanted}


def make_readable(choices: Iterable[Choice], reader: Reader, *, provider: str, model: str) -> None:
    """Let answers be read by ``choice.parsed``.

    Args:
        choices: The answers.
        reader: From `wire_format`.
        provider, model: Who was asked for what.
    """
    bound = replace(reader, provider=provider, asked=model)
    for choice in choices:
        choice.read_with(bound)
