"""Runs commands of the command line in the test's own process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from costspan.cli import main


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class Shell:
    """Runs commands in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Said:
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = self._capture.readouterr()
        return Said(int(exit_.value.code or 0), out, err)
