"""How costspan runs a command of its own in another process, beside the application."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_INTERPRETERS = ("python", "pypy", "graalpy")


def has_interpreter() -> bool:
    """Whether ``sys.executable`` is a Python: not in frozen programs, nor where Python is embedded
    (uwsgi, a game, an editor), which would be started a second time."""
    if getattr(sys, "frozen", False) or not sys.executable:
        return False
    name = os.path.basename(sys.executable).lower()
    return name.startswith(_INTERPRETERS) and os.access(sys.executable, os.X_OK)


def command(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """The words and the environment that run ``costspan`` with arguments in another process.

    Whatever costspan is loaded here is loaded there, and nothing out of the current folder.
    """
    source = str(Path(__file__).absolute().parents[2])
    path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    words = [sys.executable, "-P", "-m", "costspan", *arguments]
    return words, {**os.environ, "PYTHONPATH": path}
