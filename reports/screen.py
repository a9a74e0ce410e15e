"""What the output is written to: how wide, in colour or not, in which characters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

PIPE_WIDTH = 120
"""Columns when nobody says otherwise: the same text in a file, whatever window it was made in."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a table goes.

    Attributes:
        width: Columns.
        color: Whether escape sequences for colours may be written.
        ascii_only: Whether only ASCII can be written.
    """

    width: int = PIPE_WIDTH
    color: bool = False
    ascii_only: bool = False

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str]) -> Screen:
        """The screen behind a stream, by ``COLUMNS``, ``NO_COLOR`` and ``TERM``."""
        terminal = stream.isatty()
        columns = environ.get("COLUMNS", "")
        if columns.isascii() and columns.isdigit() and int(columns) > 0:
            width = int(columns)
        else:
            width = (terminal and os.get_terminal_size(stream.fileno()).columns) or PIPE_WIDTH
        plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        return cls(width, terminal and not plain, not _writes(stream, "█─"))


def _writes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
