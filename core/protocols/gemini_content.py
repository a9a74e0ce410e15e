"""From OpenAI's messages to Gemini's contents: turns of parts, function calls and their results.

Rules as of 2026-11: https://ai.google.dev/api/caching#Content,
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from urllib.parse import urlsplit

from costspan.core.errors import BadRequestError, UnsupportedParamsError
from costspan.core.protocols.message_parts import (
    image_url,
    part_and_type,
    split_data_url,
    tool_call,
    unknown_role,
)
from costspan.core.types import JSON

Part = dict[str, object]

# Parts of Gemini's own that a caller may put into a message.
_OWN_PARTS = frozenset(
    ("inlineData", "fileData", "videoMetadata", "executableCode", "codeExecutionResult")
)
_ROLES = {"user": "user", "assistant": "model", "tool": "user"}

# What Google documents for calls that another model made and that so have no signature.
_NO_SIGNATURE = "skip_thought_signature_validator"

# Files that Gemini reads (https://ai.google.dev/gemini-api/docs/file-input-methods, 2026-11).
_MIME_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "css": "text/css",
    "csv": "text/csv",
    "xml": "text/xml",
    "json": "application/json",
    "wav": "audio/wav",
    "mp3": "audio/mp3",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "3gp": "video/3gpp",
}


@dataclass(slots=True)
class Contents:
    """Translates the messages of one request.

    Attributes:
        with_ids: Whether the server takes the ids of calls; Vertex refuses them.
        must_sign: Whether the model refuses function calls that carry no signature.
        nests_media: Whether the model takes images as part of a function's result; those before
            the third generation refuse them
            (https://github.com/google-gemini/gemini-cli/issues/19436, 2026-02).
        calls: Place and function name of each call so far, by its id.
        media: Images of results that are to follow these in a turn of their own.
    """

    with_ids: bool
    must_sign: bool
    nests_media: bool
    calls: dict[str, tuple[int, object]] = field(default_factory=dict)
    media: list[Part] = field(default_factory=list)

    def conversation(self, messages: Sequence[JSON]) -> tuple[list[Part], list[Part]]:
        """Split messages into the parts of the system instruction and the turns.

        All system and developer messages go into the instruction, in order. Neighbours of one
        role become one turn. The results of one turn's calls stand in the order of the calls,
        because a server that takes no ids matches them by it, and apart from what the user says
        next, because Vertex refuses a turn with both
        (https://github.com/deepnoodle-ai/dive/pull/287, 2026-09).

        Raises:
            BadRequestError: A role is unknown, a tool call's arguments are no JSON object, or a
                tool result belongs to no call.
            UnsupportedParamsError: A content part has no counterpart.
        """
        system: list[Part] = []
        others: list[JSON] = []
        for message in messages:
            if message["role"] in ("system", "developer"):
                system += _parts(message.get("content"))
            else:
                others.append(message)
        turns: list[Part] = []
        for role, group in groupby(others, key=lambda message: message["role"]):
            if not isinstance(role, str) or role not in _ROLES:
                raise unknown_role(role)
            parts = self._turn(role, list(group))
            if parts:
                turns.append({"role": _ROLES[role], "parts": parts})
            if self.media:
                turns.append({"role": "user", "parts": self.media})
                self.media = []
        return system, turns

    def _turn(self, role: str, messages: list[JSON]) -> list[Part]:
        if role == "tool":
            messages = sorted(messages, key=self._place)
            return [self._function_response(message) for message in messages]
        if role == "assistant":
            return [part for message in messages for part in self._answer(message)]
        return [part for message in messages for part in _parts(message.get("content"))]

    def _place(self, message: JSON) -> int:
        known = self.calls.get(str(message.get("tool_call_id")))
        return known[0] if known else len(self.calls)

    def _answer(self, message: JSON) -> list[Part]:
        """The parts of an assistant's message: text, images, calls, each with its signature."""
        parts = _parts(message.get("content"))
        signature = _signature(message)
        if signature:
            if not parts or "text" not in parts[-1]:
                parts.append({"text": ""})
            parts[-1]["thoughtSignature"] = signature
        images = message.get("images")
        for image in images if isinstance(images, list) else ():
            parts.append(_signed(_part(image), image))
        calls = message.get("tool_calls")
        made = [self._function_call(each) for each in calls] if isinstance(calls, list) else []
        if made and self.must_sign and not any("thoughtSignature" in part for part in made):
            made[0]["thoughtSignature"] = _NO_SIGNATURE
        return parts + made

    def _function_call(self, call: object) -> Part:
        identity, name, arguments = tool_call(call, "Gemini")
        self.calls[str(identity)] = (len(self.calls), name)
        made: Part = {"name": name, "args": arguments}
        if self.with_ids and identity:
            made["id"] = identity
        return _signed({"functionCall": made}, call)

    def _function_response(self, message: JSON) -> Part:
        identity = message.get("tool_call_id")
        known = self.calls.get(str(identity))
        name = known[1] if known else message.get("name")
        if not isinstance(name, str):
            raise BadRequestError(
                f"no message before it calls the tool whose result has tool_call_id={identity!r}: "
                "Gemini needs the function's name, so send the assistant's message with the call"
            )
        parts = _parts(message.get("content"))
        made: Part = {"name": name, "response": _response(parts)}
        media = [part for part in parts if "text" not in part]
        if media and self.nests_media:
            made["parts"] = media
        else:
            self.media += media
        if self.with_ids and identity:
            made["id"] = identity
        return {"functionResponse": made}


def _response(parts: list[Part]) -> JSON:
    """The text of a tool result as the object that Gemini takes: itself if it is JSON of one."""
    text = "".join(str(part["text"]) for part in parts if "text" in part)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"output": text}


def _signed(part: Part, holder: object) -> Part:
    signature = _signature(holder)
    return {**part, "thoughtSignature": signature} if signature else part


def _signature(holder: object) -> str | None:
    """The signature that came with an answer, an image or a tool call of Gemini's."""
    extra = holder.get("extra_content") if isinstance(holder, Mapping) else None
    google = extra.get("google") if isinstance(extra, Mapping) else None
    signature = google.get("thought_signature") if isinstance(google, Mapping) else None
    return signature if isinstance(signature, str) else None


def _parts(content: object) -> list[Part]:
    """The parts of a content, without empty texts, which Vertex refuses."""
    if isinstance(content, str):
        content = [content]
    if not isinstance(content, Iterable) or isinstance(content, Mapping):
        return []
    return [part for part in map(_part, content) if part.get("text") or "text" not in part]


def _part(part: object) -> Part:
    if isinstance(part, str):
        return {"text": part}
    if isinstance(part, Mapping) and not part.keys().isdisjoint(_OWN_PARTS):
        return dict(part)
    part, kind = part_and_type(part)
    if kind == "text":
        return {"text": part.get("text")}
    inner = part.get(kind)
    declared = inner.get("format") if isinstance(inner, Mapping) else None
    if kind == "image_url":
        return _media(image_url(part), declared, "image/jpeg")
    if kind == "input_audio" and isinstance(inner, Mapping):
        return {"inlineData": {"mimeType": f"audio/{declared}", "data": inner.get("data")}}
    if kind == "file" and isinstance(inner, Mapping):
        return _file(inner, declared)
    raise UnsupportedParamsError(
        f"Gemini has no counterpart of a content part of type {kind!r}: it takes text, image_url, "
        "input_audio and file",
        provider="google",
    )


def _file(file: JSON, declared: object) -> Part:
    data, identity = file.get("file_data"), file.get("file_id")
    if isinstance(data, str) and data.startswith("data:"):
        return _media(data, declared, None)
    if isinstance(identity, str):
        return _media(identity, declared, None)
    raise BadRequestError(
        "a file part needs file_data as a data: URL in base64, or as file_id the address of an "
        "uploaded file or one that begins with gs:// or https://"
    )


def _media(url: str, declared: object, otherwise: str | None) -> Part:
    """A part for a data: URL or an address, whose type is declared or told by its ending."""
    split = split_data_url(url)
    if split:
        return {"inlineData": {"mimeType": declared or split[0], "data": split[1]}}
    ending = urlsplit(url).path.rpartition(".")[2].lower()
    mime_type = declared or _MIME_TYPES.get(ending, otherwise)
    return {"fileData": {"fileUri": url, **({"mimeType": mime_type} if mime_type else {})}}
