"""From OpenAI's messages and tools to Converse's turns, content blocks and tools.

Blocks as of 2026-11: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import re
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

# Blocks of Converse's own that a caller may put into a message as they are.
_OWN_BLOCKS = frozenset(
    (
        "text",
        "image",
        "document",
        "video",
        "audio",
        "toolUse",
        "toolResult",
        "guardContent",
        "cachePoint",
        "reasoningContent",
        "citationsContent",
        "searchResult",
    )
)
_IMAGE_FORMATS = ("png", "jpeg", "gif", "webp")
_DOCUMENT_FORMATS = ("pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
_FORMAT_BY_SUBTYPE = {
    "jpg": "jpeg",
    "htm": "html",
    "plain": "txt",
    "markdown": "md",
    "msword": "doc",
    "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "vnd.ms-excel": "xls",
    "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
# What the name of a document may not hold: letters, digits, single blanks and -()[] are left.
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9\-()\[\]]+")
_LONGEST_NAME = 200


def conversation(messages: Sequence[JSON]) -> tuple[list[Block], list[Block]]:
    """Split messages into system blocks and turns; see `alternating_turns`.

    Messages without content are left out, for the API takes no empty ones.

    Returns:
        The system blocks and the turns.

    Raises:
        BadRequestError: A role is unknown, a file cannot be sent, or a tool call's arguments are
            no JSON object.
        UnsupportedParamsError: A content part has no counterpart.
    """
    system, turns = alternating_turns(
        messages,
        {
            "system": _content_blocks,
            "user": lambda message: _content_blocks(message) or None,
            "assistant": lambda message: _assistant_blocks(message) or None,
            "tool": _tool_result,
        },
    )
    _tell_documents_apart(turns)
    trim_prefill(turns)
    return system, turns


def tools(given: Iterable[object]) -> list[Block]:
    """Tools in Converse's shape; one that has that shape already is left as it is."""
    found: list[Block] = []
    for each in given:
        if not isinstance(each, Mapping):
            raise BadRequestError("a tool must be a mapping with a function")
        function = each.get("function")
        if not isinstance(function, Mapping):
            found.append(dict(each))
            continue
        spec: Block = {"name": function.get("name")}
        spec.update({k: function[k] for k in ("description", "strict") if function.get(k)})
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        found.append({"toolSpec": {**spec, "inputSchema": {"json": schema}}})
        found += _cache_point(each)
    return found


def _cache_point(marked: JSON) -> list[Block]:
    """The block that caches what comes before it, where Anthropic's ``cache_control`` asks so."""
    mark = marked.get("cache_control")
    if not isinstance(mark, Mapping):
        return []
    point: Block = {"type": "default"}
    if "ttl" in mark:
        point["ttl"] = mark["ttl"]
    return [{"cachePoint": point}]


def _content_blocks(message: JSON) -> list[Block]:
    """The content as blocks, with a cache mark of the message after them."""
    content = message.get("content")
    blocks: list[Block] = []
    if isinstance(content, str):
        blocks = _text(content)
    elif isinstance(content, Iterable) and not isinstance(content, Mapping):
        blocks = [block for part in content for block in _part_blocks(part)]
    return blocks + _cache_point(message) if blocks else blocks


def _part_blocks(part: object) -> list[Block]:
    if isinstance(part, str):
        return _text(part)
    if isinstance(part, Mapping) and len(part) == 1 and not part.keys().isdisjoint(_OWN_BLOCKS):
        return [dict(part)]
    part, kind = part_and_type(part)
    if kind == "text":
        blocks = _text(part.get("text"))
    elif kind == "image_url":
        blocks = [_image(image_url(part))]
    elif kind == "file":
        blocks = [_document(part.get("file"))]
    elif kind == "input_audio":
        blocks = [_audio(part.get("input_audio"))]
    else:
        raise UnsupportedParamsError(
            f"Converse has no counterpart of a content part of type {kind!r}: it takes text, "
            "image_url, input_audio and file, and blocks of its own",
            provider="aws",
        )
    return blocks + _cache_point(part)


def _text(text: object) -> list[Block]:
    """The block of a text; none of a blank one, which is refused.

    https://github.com/langchain-ai/langchain-aws/issues/403, 2025-03.
    """
    return [{"text": text}] if isinstance(text, str) and text.strip() else []


def _image(url: str) -> Block:
    return {"image": _source(url, _IMAGE_FORMATS, "an image")}


def _document(file: object) -> Block:
    given = file if isinstance(file, Mapping) else {}
    url = given.get("file_data") or given.get("file_id")
    if not isinstance(url, str):
        raise BadRequestError("a file part needs file_data as a data: URL in base64")
    found = _source(url, _DOCUMENT_FORMATS, "a document")
    return {"document": {"name": _name(given.get("filename")), **found}}


def _name(filename: object) -> str:
    """A name that the API takes: the file's own without its suffix, as far as it may be."""
    stem = filename.rpartition(".")[0] or filename if isinstance(filename, str) else ""
    return _NOT_IN_NAMES.sub(" ", stem).strip()[:_LONGEST_NAME] or "document"


def _source(url: str, formats: tuple[str, ...], what: str) -> Block:
    """The format and the source of a file, which travels as bytes or lies in S3."""
    data = split_data_url(url)
    if data is None and not url.startswith("s3://"):
        raise BadRequestError(
            f"Converse fetches nothing from the web: give {what} as a data: URL in base64, as in "
            "data:image/png;base64,..., or as s3://bucket/key",
            provider="aws",
        )
    kind = data[0].rpartition("/")[2] if data else url.rpartition(".")[2].lower()
    named = _FORMAT_BY_SUBTYPE.get(kind, kind)
    if named not in formats:
        raise BadRequestError(
            f"Converse takes {what} as {', '.join(formats)}, not as {kind or 'nothing'}",
            provider="aws",
        )
    source: Block = {"bytes": data[1]} if data else {"s3Location": {"uri": url}}
    return {"format": named, "source": source}


def _audio(audio: object) -> Block:
    if not isinstance(audio, Mapping) or not isinstance(audio.get("data"), str):
        raise BadRequestError("an input_audio part needs data in base64 and a format")
    return {"audio": {"format": audio.get("format"), "source": {"bytes": audio["data"]}}}


def _assistant_blocks(message: JSON) -> list[Block]:
    """Reasoning first, for the API wants it before what it led to; then text, then tool calls."""
    calls = message.get("tool_calls")
    blocks = [_reasoning(each) for each in thinking_blocks(message)]
    blocks += _content_blocks(message)
    for each in calls if isinstance(calls, list) else ():
        identity, name, arguments = tool_call(each, "Converse")
        blocks.append({"toolUse": {"toolUseId": identity, "name": name, "input": arguments}})
    return blocks


def _reasoning(block: JSON) -> Block:
    if block.get("type") == "redacted_thinking":
        return {"reasoningContent": {"redactedContent": block.get("data")}}
    text: Block = {"text": block.get("thinking")}
    if "signature" in block:
        text["signature"] = block["signature"]
    return {"reasoningContent": {"reasoningText": text}}


def _tool_result(message: JSON) -> list[Block]:
    content = message.get("content")
    unmarked = {k: v for k, v in message.items() if k != "cache_control"}
    blocks = [{"json": content}] if isinstance(content, Mapping) else _content_blocks(unmarked)
    result: Block = {"toolUseId": message.get("tool_call_id"), "content": blocks}
    if message.get("status") in ("success", "error"):
        result["status"] = message["status"]
    return [{"toolResult": result}, *_cache_point(message)]


def _tell_documents_apart(turns: Sequence[Block]) -> None:
    """Number documents of one name, which the API refuses.

    By their place in the conversation, so that a prompt that grows keeps what was cached of it.
    """
    taken: set[str] = set()
    for turn in turns:
        content = turn["content"]
        for block in content if isinstance(content, list) else ():
            document = block.get("document")
            name = document.get("name") if isinstance(document, Mapping) else None
            if isinstance(document, Mapping) and isinstance(name, str):
                number, own = 1, name
                while own in taken:
                    number += 1
                    own = f"{name[: _LONGEST_NAME - 5]} {number}"
                taken.add(own)
                block["document"] = {**document, "name": own}
