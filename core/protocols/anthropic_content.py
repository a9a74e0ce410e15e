"""From OpenAI's messages and tools to Anthropic's turns, content blocks and tools."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence

from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols.message_parts import thinking_blocks
from costspan.core.types import JSON

Block = dict[str, object]

# Blocks of Anthropic's own that a caller may put into a message.
_OWN_BLOCKS = frozenset(
    (
        "image",
        "document",
        "search_result",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "server_tool_use",
        "web_search_tool_result",
    )
)


def conversation(messages: Sequence[JSON]) -> tuple[list[Block], list[Block]]:
    """Split messages into system blocks and turns.

    All system and developer messages go into the system blocks, in order. Neighbours of one role
    become one turn, and tool results are part of the user's next turn, because the API wants the
    roles to alternate.

    Returns:
        The system blocks and the turns.

    Raises:
        BadRequestError: A role is unknown, or a tool call's arguments are no JSON object.
        UnsupportedParamsError: A content part has no counterpart.
    """
    system: list[Block] = []
    turns: list[Block] = []
    last: list[Block] = []
    for message in messages:
        role = message["role"]
        if role in ("system", "developer"):
            system += _content_blocks(message)
            continue
        if role == "assistant":
            blocks = _assistant_blocks(message)
            if not blocks:  # an answer without a word, which the API does not take back
                continue
        elif role == "user":
            blocks = _content_blocks(message)
        elif role == "tool":
            role, blocks = "user", [_tool_result(message)]
        else:
            raise BadRequestError(
                f"unknown role {role!r} in messages: use system, developer, user, assistant or tool"
            )
        if turns and turns[-1]["role"] == role:
            last += blocks
        else:
            last = blocks
            turns.append({"role": role, "content": last})
    _trim_prefill(turns)
    return system, turns


def _trim_prefill(turns: list[Block]) -> None:
    """The API takes no white space at the end of an answer that the model is to continue."""
    content = turns[-1]["content"] if turns and turns[-1]["role"] == "assistant" else None
    last = content[-1] if isinstance(content, list) else {}
    if isinstance(last.get("text"), str):
        last["text"] = last["text"].rstrip()


def tool(each: object) -> object:
    """A tool in Anthropic's shape; one that has that shape already is left as it is."""
    if not isinstance(each, Mapping) or not isinstance(each.get("function"), Mapping):
        return each
    function = each["function"]
    found = {k: function[k] for k in ("name", "description", "strict") if k in function}
    found["input_schema"] = function.get("parameters") or {"type": "object", "properties": {}}
    if "cache_control" in each:
        found["cache_control"] = each["cache_control"]
    return found


def _content_blocks(message: JSON) -> list[Block]:
    """The content as blocks; a cache mark of the message stands on its last block."""
    content = message.get("content")
    if isinstance(content, str):
        blocks = [_text_block(content)] if content else []
    elif isinstance(content, Iterable) and not isinstance(content, Mapping):
        found = [_block(part) for part in content]
        blocks = [block for block in found if block.get("text") != ""]  # which the API refuses
    else:
        blocks = []
    if blocks and "cache_control" in message:
        blocks[-1]["cache_control"] = message["cache_control"]
    return blocks


def _text_block(text: object) -> Block:
    return {"type": "text", "text": text}


def _block(part: object) -> Block:
    if isinstance(part, str):
        return _text_block(part)
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping) or not isinstance(kind, str):
        raise BadRequestError(
            "a content part must be a text or a mapping with a type, as in "
            "{'type': 'text', 'text': 'Hello'}"
        )
    if kind == "image_url":
        block: Block = {"type": "image", "source": _image_source(part.get("image_url"))}
    elif kind == "file":
        block = _document(part.get("file"))
    elif kind == "text" or kind in _OWN_BLOCKS:
        return dict(part)
    else:
        raise UnsupportedParamsError(
            f"Anthropic has no counterpart of a content part of type {kind!r}: it takes text, "
            "image_url and file",
            provider="anthropic",
        )
    if "cache_control" in part:
        block["cache_control"] = part["cache_control"]
    return block


def _image_source(image: object) -> Block:
    url = image.get("url") if isinstance(image, Mapping) else image
    if not isinstance(url, str):
        raise BadRequestError("an image_url part needs {'image_url': {'url': 'https://...'}}")
    return _data_source(url) or {"type": "url", "url": url}


def _document(file: object) -> Block:
    block: Block = {"type": "document", "source": _file_source(file)}
    name = file.get("filename") if isinstance(file, Mapping) else None
    return {**block, "title": name} if isinstance(name, str) else block


def _file_source(file: object) -> Block:
    data = file.get("file_data") if isinstance(file, Mapping) else None
    if isinstance(data, str) and (source := _data_source(data)):
        return _plain_text(source) if source["media_type"] == "text/plain" else source
    identity = file.get("file_id") if isinstance(file, Mapping) else None
    if isinstance(identity, str):
        return {"type": "file", "file_id": identity}
    raise BadRequestError("a file part needs file_data as a data: URL in base64, or a file_id")


def _plain_text(source: Block) -> Block:
    """The source of a text document, which the API takes as it is and not in base64."""
    try:
        text = b64decode(str(source["data"])).decode()
    except ValueError as error:
        raise BadRequestError("a text/plain file must be UTF-8 in base64") from error
    return {"type": "text", "media_type": "text/plain", "data": text}


def _data_source(url: str) -> Block | None:
    """A base64 source from a ``data:`` URL; None for other URLs."""
    if not url.startswith("data:"):
        return None
    head, _, data = url[5:].partition(",")
    media_type, _, encoding = head.partition(";")
    if not encoding.endswith("base64"):
        raise BadRequestError("a data: URL must be in base64, as in data:image/png;base64,...")
    return {"type": "base64", "media_type": media_type, "data": data}


def _assistant_blocks(message: JSON) -> list[Block]:
    """Thinking first, for the API wants it before what it led to; then text, then tool calls."""
    calls = message.get("tool_calls")
    blocks = [dict(each) for each in thinking_blocks(message)]
    blocks += _content_blocks(message)
    blocks += [_tool_use(each) for each in calls] if isinstance(calls, list) else []
    return blocks


def _tool_use(call: object) -> Block:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise BadRequestError("a tool call needs an id and a function with a name")
    written = function.get("arguments") or "{}"
    try:
        arguments = json.loads(written) if isinstance(written, str) else written
    except ValueError as error:
        raise _no_arguments(call) from error
    if not isinstance(arguments, Mapping):
        raise _no_arguments(call)
    name = function.get("name")
    return {"type": "tool_use", "id": call.get("id"), "name": name, "input": arguments}


def _no_arguments(call: JSON) -> BadRequestError:
    return BadRequestError(
        f"the arguments of tool call {call.get('id')!r} are no JSON object, which Anthropic needs"
    )


def _tool_result(message: JSON) -> Block:
    content = message.get("content")
    result: Block = {
        "type": "tool_result",
        "tool_use_id": message.get("tool_call_id"),
        "content": content if isinstance(content, str) else _content_blocks({"content": content}),
    }
    if "cache_control" in message:
        result["cache_control"] = message["cache_control"]
    return result
