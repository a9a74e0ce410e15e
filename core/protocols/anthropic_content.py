"""From OpenAI's messages and tools to Anthropic's turns, content blocks and tools."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence

from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols.alternating_turns import Block, alternating_turns
from costspan.core.protocols.message_parts import (
    image_url,
    part_and_type,
    split_data_url,
    thinking_blocks,
    tool_call,
    trim_prefill,
)
from costspan.core.types import JSON

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
    """Split messages into system blocks and turns; see `alternating_turns`.

    Returns:
        The system blocks and the turns.

    Raises:
        BadRequestError: A role is unknown, or a tool call's arguments are no JSON object.
        UnsupportedParamsError: A content part has no counterpart.
    """
    system, turns = alternating_turns(
        messages,
        {
            "system": _content_blocks,
            "user": _content_blocks,
            # The API does not take back an answer without a word.
            "assistant": lambda message: _assistant_blocks(message) or None,
            "tool": lambda message: [_tool_result(message)],
        },
    )
    trim_prefill(turns)
    return system, turns


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
        blocks = [_text_block(content)] if content.strip() else []
    elif isinstance(content, Iterable) and not isinstance(content, Mapping):
        found = [_block(part) for part in content]
        blocks = [block for block in found if not _is_blank(block)]
    else:
        blocks = []
    if blocks and "cache_control" in message:
        blocks[-1]["cache_control"] = message["cache_control"]
    return blocks


def _is_blank(block: Block) -> bool:
    """Whether a block says nothing, which the API refuses.

    https://github.com/langchain-ai/langchain-aws/issues/403, 2025-03.
    """
    text = block.get("text")
    return block["type"] == "text" and isinstance(text, str) and not text.strip()


def _text_block(text: object) -> Block:
    return {"type": "text", "text": text}


def _block(part: object) -> Block:
    if isinstance(part, str):
        return _text_block(part)
    part, kind = part_and_type(part)
    if kind == "image_url":
        block: Block = {"type": "image", "source": _image_source(image_url(part))}
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


def _image_source(url: str) -> Block:
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
    data = split_data_url(url)
    return {"type": "base64", "media_type": data[0], "data": data[1]} if data else None


def _assistant_blocks(message: JSON) -> list[Block]:
    """Thinking first, for the API wants it before what it led to; then text, then tool calls."""
    calls = message.get("tool_calls")
    blocks = [dict(each) for each in thinking_blocks(message)]
    blocks += _content_blocks(message)
    blocks += [_tool_use(each) for each in calls] if isinstance(calls, list) else []
    return blocks


def _tool_use(call: object) -> Block:
    identity, name, arguments = tool_call(call, "Anthropic")
    return {"type": "tool_use", "id": identity, "name": name, "input": arguments}


def _tool_result(message: JSON) -> Block:
    content = message.get("content")
    blocks = _content_blocks({"content": content})
    # The API refuses marks in a result; one of a part stands at the end of it, where ours may.
    marks = [block.pop("cache_control") for block in blocks if "cache_control" in block]
    result: Block = {
        "type": "tool_result",
        "tool_use_id": message.get("tool_call_id"),
        "content": content if isinstance(content, str) else blocks,
    }
    for mark in (*marks, *((message["cache_control"],) if "cache_control" in message else ())):
        result["cache_control"] = mark
    return result
