"""A conversation as a JSON file: whole under its name or not there, readable by its owner only."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from costspan.core.params import CompletionParams
from costspan.core.tally import Tally
from costspan.core.turns import Entry

FORMAT, VERSION = "costspan-conversation", 1

TallyT = TypeVar("TallyT", bound=Tally)

# What a file may set. Not where requests go and with which key: a file from elsewhere must not be
# able to send the reader's key somewhere.
_DEFAULTS = frozenset(CompletionParams.__annotations__) | {
    "timeout",
    "drop_params",
    "num_retries",
    "max_retries",
    "max_history_tokens",
    "max_age_s",
}

# Fields of tools on other servers, which hold keys: OpenAI's and Anthropic's MCP tools, 2026-11.
_SECRET = frozenset(("authorization", "authorization_token", "headers", "api_key"))


class ConversationFileError(ValueError):
    """A file holds no conversation, or a conversation holds what no file can."""


@dataclass(frozen=True, slots=True)
class Saved(Generic[TallyT]):
    """What is kept of a conversation.

    Attributes:
        model: The model.
        defaults: Arguments of every call; of those only what is plain JSON and neither an
            address nor a key is written.
        entries: The messages.
        tally: What the replies so far used.
    """

    model: str
    defaults: Mapping[str, Any]
    entries: Sequence[Entry]
    tally: TallyT


def write(path: str | os.PathLike[str], saved: Saved[Tally]) -> None:
    """Write a conversation in place of what the file held.

    Raises:
        ConversationFileError: A message holds what JSON cannot say.
        OSError: The file cannot be written; what it held is still there.
    """
    for position, entry in enumerate(saved.entries):
        if (reason := _no_json(entry.message)) is not None:
            raise ConversationFileError(
                f"{os.fspath(path)}: messages[{position}] cannot be saved as JSON: {reason}"
            )
    document = {
        "format": FORMAT,
        "version": VERSION,
        "model": saved.model,
        "defaults": {
            name: value
            for name, value in saved.defaults.items()
            if name in _DEFAULTS and _no_json(value) is None and not _holds_key(value)
        },
        "messages": [{"at_ns": entry.at_ns, "message": entry.message} for entry in saved.entries],
        "spent": saved.tally.dump(),
    }
    _replace(Path(path), json.dumps(document, indent=1))


def _no_json(value: object) -> str | None:
    """Why a value is no JSON; None where it is."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return str(error)
    return None


def _holds_key(value: object) -> bool:
    if isinstance(value, Mapping):
        return not _SECRET.isdisjoint(value) or any(map(_holds_key, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_holds_key, value))


def _replace(path: Path, text: str) -> None:
    handle, unready = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unready, path)
    finally:
        with contextlib.suppress(FileNotFoundError):  # it has its name by now, if all went well
            os.unlink(unready)


def read(path: str | os.PathLike[str], tally_type: type[TallyT]) -> Saved[TallyT]:
    """Read a conversation.

    Args:
        path: The file.
        tally_type: What sums up what the replies used.

    Raises:
        ConversationFileError: The file holds none, or one of a newer version; it is named.
        OSError: The file cannot be read.
    """
    data = Path(path).read_bytes()
    try:
        return _saved(json.loads(data), tally_type)
    except (ValueError, RecursionError) as error:
        reason = "it is no JSON" if isinstance(error, _UNREADABLE) else error
        raise ConversationFileError(f"{os.fspath(path)} holds no conversation: {reason}") from error


_UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)


def _saved(document: object, tally_type: type[TallyT]) -> Saved[TallyT]:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    if document.get("version") != VERSION:
        raise ValueError(
            f"its version is {document.get('version')!r}, and this costspan reads {VERSION}: "
            "a newer one may read it"
        )
    model, defaults = document.get("model"), document.get("defaults")
    messages, spent = document.get("messages"), document.get("spent")
    if not isinstance(model, str) or not model:
        raise ValueError("model is no name")
    if not isinstance(defaults, dict) or not isinstance(spent, dict):
        raise ValueError("defaults or spent is no object")
    for name in defaults:
        if name not in _DEFAULTS:
            raise ValueError(f"defaults holds {name!r}, which no file may set")
    if not isinstance(messages, list):
        raise ValueError("messages is no list")
    entries = [_entry(each, position) for position, each in enumerate(messages)]
    return Saved(model, defaults, entries, tally_type.restored(spent))


def _entry(said: object, position: int) -> Entry:
    message = said.get("message") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(message, dict):
        raise ValueError(f"messages[{position}] holds no message")
    at_ns = said.get("at_ns")
    if isinstance(at_ns, bool) or not isinstance(at_ns, int):
        raise ValueError(f"messages[{position}] has no time")
    if not isinstance(message.get("role"), str):
        raise ValueError(f"messages[{position}] has no role")
    return Entry(message, at_ns)
