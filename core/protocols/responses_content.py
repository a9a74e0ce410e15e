"""From OpenAI's chat messages and tools to the input items and tools of Responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols.message_parts import (
    arguments_text,
    call_and_function,
    image_url,
    part_and_type,
    unknown_role,
)
from costspan.core.types import JSON

Item = dict[str, object]

# Parts in the format's own shape, which a caller may put into a message, and parts that both
# formats have.
_OWN_PARTS = frozenset(
    ("input_text", "input_image", "input_file", "input_audio", "output_text", "refusal")
)
_FILE_FIELDS = ("file_id", "file_data", "file_url", "filename", "detail")


def conversation(messages: Sequence[JSON]) -> list[Item]:
    """The input items that chat messages mean.

    System and developer messages stay where they stand, with their roles: ``instructions`` holds
    one text only, of one role.

    Raises:
        BadRequestError: A role is unknown, or a part or tool call has not its form.
        UnsupportedParamsError: A content part has no counterpart.
    """
    items: list[Item] = []
    custom_calls: list[object] = []
    for message in messages:
        role = message["role"]
        if role in ("system", "developer", "user"):
            items.append({"role": role, "content": _content(message, "input_text")})
        elif role == "assistant":
            said = _assistant_items(message)
            custom_calls += [each["call_id"] for each in said if "input" in each]
            items += said
        elif role == "tool":
            identity = message.get("tool_call_id")
            kind = "custom_tool_call" if identity in custom_calls else "function_call"
            output = _content(message, "input_text")
            items.append({"type": f"{kind}_output", "call_id": identity, "output": output})
        else:
            raise unknown_role(role)
    return items


def tool(each: object) -> object:
    """A tool in the flat form; built-in tools and tools in that form are left as they are.

    Chat takes a function that says nothing of ``strict`` as not strict, Responses as strict
    (https://developers.openai.com/api/docs/guides/migrate-to-responses, 2026-11), so it is said.
    """
    if not isinstance(each, Mapping):
        return each
    function, custom = each.get("function"), each.get("custom")
    if isinstance(function, Mapping):
        found = {"type": "function", "strict": False, **function}
        found["parameters"] = found.get("parameters") or {"type": "object", "properties": {}}
        return found
    if isinstance(custom, Mapping):
        found = {"type": "custom", **custom}
        form = custom.get("format")
        grammar = form.get("grammar") if isinstance(form, Mapping) else None
        if isinstance(grammar, Mapping):
            found["format"] = {"type": "grammar", **grammar}
        return found
    return each


def tool_choice(choice: object) -> object:
    """A tool choice in the flat form; words and built-in tools are left as they are."""
    if not isinstance(choice, Mapping):
        return choice
    for kind in ("function", "custom"):
        named = choice.get(kind)
        if isinstance(named, Mapping):
            return {"type": kind, "name": named.get("name")}
    allowed = choice.get("allowed_tools")
    if isinstance(allowed, Mapping):
        tools = allowed.get("tools")
        flat = [tool_choice(each) for each in tools] if isinstance(tools, list) else tools
        return {"type": "allowed_tools", **allowed, "tools": flat}
    return choice


def _content(message: JSON, text_type: str) -> str | list[Item]:
    """The content: a text as it is, or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, Iterable) and not isinstance(content, Mapping):
        return [_part(part, text_type) for part in content]
    return ""


def _part(part: object, text_type: str) -> Item:
    if isinstance(part, str):
        return {"type": text_type, "text": part}
    part, kind = part_and_type(part)
    if kind == "text":
        found: Item = {"type": text_type, "text": part.get("text")}
    elif kind == "image_url":
        found = _image(part)
    elif kind == "file":
        found = {"type": "input_file", **_file(part.get("file"))}
    elif kind in _OWN_PARTS:
        return dict(part)
    else:
        raise UnsupportedParamsError(
            f"OpenAI's Responses have no counterpart of a content part of type {kind!r}: they "
            "take text, image_url, file and input_audio"
        )
    if "prompt_cache_breakpoint" in part:
        found["prompt_cache_breakpoint"] = part["prompt_cache_breakpoint"]
    return found


def _image(part: JSON) -> Item:
    """The address and level of detail, which some compatible servers want to be told."""
    image = part.get("image_url")
    detail = image.get("detail") if isinstance(image, Mapping) else None
    return {"type": "input_image", "image_url": image_url(part), "detail": detail or "auto"}


def _file(file: object) -> Item:
    found = {k: file[k] for k in _FILE_FIELDS if k in file} if isinstance(file, Mapping) else {}
    if not found:
        raise BadRequestError("a file part needs file_data as a data: URL in base64, or a file_id")
    return found


def _assistant_items(message: JSON) -> list[Item]:
    """Reasoning first, then the text, then the tool calls, as they were made.

    Nothing of an answer that says nothing: the API refuses reasoning that led to nothing.
    """
    calls, content = message.get("tool_calls"), _assistant_content(message)
    items = [_call_item(each) for each in calls] if isinstance(calls, list) else []
    if content:
        # The type is optional with OpenAI, but not with llama.cpp.
        items.insert(0, {"type": "message", "role": "assistant", "content": content})
    return [*_reasoning(message), *items] if items else []


def _assistant_content(message: JSON) -> str | list[Item]:
    content, refusal = _content(message, "output_text"), message.get("refusal")
    if not isinstance(refusal, str):
        return content
    if isinstance(content, str):
        content = [_part(content, "output_text")] if content else []
    return [*content, {"type": "refusal", "refusal": refusal}]


def _reasoning(message: JSON) -> list[Item]:
    """The reasoning items to send back.

    Only encrypted ones, which OpenAI gives by default (its SDK 3.57): others are known by their id
    alone, which a server that has not stored them refuses.
    """
    blocks = message.get("thinking_blocks")
    return [
        {"summary": [], **block}
        for block in (blocks if isinstance(blocks, list) else ())
        if isinstance(block, Mapping)
        and block.get("type") == "reasoning"
        and block.get("encrypted_content")
    ]


def _call_item(call: object) -> Item:
    kind = call.get("type") if isinstance(call, Mapping) else None
    function = call.get("function") if isinstance(call, Mapping) else None
    if isinstance(call, Mapping) and kind == "custom":
        # Our own replies have the input of a custom call where functions have their arguments.
        custom = call.get("custom", function)
        named: JSON = custom if isinstance(custom, Mapping) else {}
        item: Item = {"type": "custom_tool_call", "call_id": call.get("id")}
        return item | {
            "name": named.get("name"),
            "input": named.get("input", named.get("arguments")),
        }
    call, function = call_and_function(call)
    return {
        "type": "function_call",
        "call_id": call.get("id"),
        "name": function.get("name"),
        "arguments": arguments_text(function.get("arguments") or {}),
    }
