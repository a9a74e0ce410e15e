"""The command ``costspan``. All that it needs is imported when Ctrl-C is silent already."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, say what went wrong in one line, exit.

    Exits with 0, with 1 (``doctor`` found something lost or broken, ``demo`` lacks packages), 2 (a
    known error) or 130 (Ctrl-C).

    Args:
        arguments: Without the name of the program; None for those of the process, which is then
            taken to be ours to its end.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    try:
        from costspan.cli_commands import run

        code = run(arguments)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    finally:
        if arguments is not None:
            signal.signal(signal.SIGINT, handler)
    sys.exit(code)


def leave(signum: int, frame: FrameType | None) -> None:
    """End at Ctrl-C without a word, where nothing is to be tidied.

    An exception would not do: in the midst of an import it can end up in a callback, which Python
    prints and passes over, or in native code, which aborts (DuckDB 1.5 does).
    """
    os._exit(EXIT_INTERRUPTED)
