"""Pieces of OpenAI's messages that wire formats put otherwise: data URLs and tool calls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from costspan.core.errors import BadRequestError
from costspan.core.types import JSON


def unknown_role(role: object) -> BadRequestError:
    """The error for a message of nobody's."""
    return BadRequestError(
        f"unknown role {role!r} in messages: use system, developer, user, assistant or tool"
    )


def part_and_type(part: object) -> tuple[JSON, str]:
    """A content part and its type.

    Raises:
        BadRequestError: It is no mapping, or has no type.
    """
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping) or not isinstance(kind, str):
        raise BadRequestError(
            "a content part must be a text or a mapping with a type, as in "
            "{'type': 'text', 'text': 'Hello'}"
        )
    return part, kind


def split_data_url(url: str) -> tuple[str, str] | None:
    """The media type and the base64 text of a ``data:`` URL; None for other URLs.

    Raises:
        BadRequestError: Its data is not in base64.
    """
    if not url.startswith("data:"):
        return None
    head, _, data = url[5:].partition(",")
    media_type, *options = head.lower().split(";")
    if "base64" not in options:
        raise BadRequestError("a data: URL must be in base64, as in data:image/png;base64,...")
    return media_type.strip(), data


def image_url(part: Mapping[str, object]) -> str:
    """The address of an ``image_url`` part.

    Raises:
        BadRequestError: It has none.
    """
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        raise BadRequestError("an image_url part needs {'image_url': {'url': 'data:...'}}")
    return url


def call_and_function(call: object) -> tuple[JSON, JSON]:
    """A tool call and its function.

    Raises:
        BadRequestError: It has none.
    """
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise BadRequestError("a tool call needs an id and a function with a name")
    return call, function


def tool_call(call: object, needed_by: str) -> tuple[object, object, Mapping[str, object]]:
    """The id, the function's name and the arguments of a tool call.

    Args:
        call: The tool call in OpenAI's shape.
        needed_by: Whose wire format takes arguments as an object only.

    Raises:
        BadRequestError: It has no function, or its arguments are no JSON object.
    """
    call, function = call_and_function(call)
    written = function.get("arguments") or "{}"
    try:
        arguments = json.loads(written) if isinstance(written, str) else written
    except ValueError as error:
        raise _no_arguments(call, needed_by) from error
    if not isinstance(arguments, Mapping):
        raise _no_arguments(call, needed_by)
    return call.get("id"), function.get("name"), arguments


def _no_arguments(call: Mapping[str, object], needed_by: str) -> BadRequestError:
    return BadRequestError(
        f"the arguments of tool call {call.get('id')!r} are no JSON object, which {needed_by} needs"
    )


def arguments_text(arguments: object) -> str:
    """The arguments of a tool call as JSON text, which is what OpenAI's shape has.

    Args:
        arguments: As the model gave them, of any type; a text is taken to be JSON already.

    Returns:
        The text; empty for what JSON cannot say.
    """
    if isinstance(arguments, str):
        return arguments
    try:
        return json.dumps({} if arguments is None else arguments, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return ""


_THINKING = ("thinking", "redacted_thinking")


def thinking_blocks(message: JSON) -> list[JSON]:
    """Claude's thinking blocks of an earlier answer; those of other models are left out."""
    found = message.get("thinking_blocks")
    blocks = found if isinstance(found, list) else ()
    return [each for each in blocks if isinstance(each, Mapping) and each.get("type") in _THINKING]


def trim_prefill(turns: Sequence[Mapping[str, object]]) -> None:
    """Take away the white space at the end of an answer that the model is to continue.

    Claude refuses it (https://github.com/langchain-ai/langchain-aws/pull/599, 2025-08).

    Args:
        turns: The conversation with its contents as blocks; its last text is changed.
    """
    content = turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else None
    last = content[-1] if isinstance(content, list) else {}
    if isinstance(last.get("text"), str):
        last["text"] = last["text"].rstrip()
