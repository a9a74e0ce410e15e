"""What is found out about where the output goes."""

from __future__ import annotations

import io
import os
import pty
import termios

import pytest

from costspan.reports.screen import PIPE_WIDTH, Screen


def pipe(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Screen(PIPE_WIDTH)),
        ({"COLUMNS": "60"}, Screen(60)),
        ({"COLUMNS": "0"}, Screen(PIPE_WIDTH)),
        ({"COLUMNS": "wide"}, Screen(PIPE_WIDTH)),
        ({"TERM": "xterm-256color"}, Screen(PIPE_WIDTH)),
    ],
)
def test_a_pipe_has_no_colours_and_always_the_same_width(
    environ: dict[str, str], expected: Screen
) -> None:
    assert Screen.of(pipe("utf-8"), environ) == expected


@pytest.mark.parametrize(
    ("environ", "color"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_has_colours_unless_they_are_unwanted(
    environ: dict[str, str], color: bool
) -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            screen = Screen.of(stream, {"COLUMNS": "100", **environ})
    finally:
        os.close(ours)

    assert screen == Screen(100, color)


def test_a_terminal_is_as_wide_as_it_says() -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            termios.tcsetwinsize(theirs, (20, 73))
            screen = Screen.of(stream, {})
    finally:
        os.close(ours)

    assert screen.width == 73


def test_what_the_encoding_lacks_is_not_written() -> None:
    assert Screen.of(pipe("ascii"), {}).ascii_only
    assert Screen.of(pipe("latin-1"), {}).ascii_only
    assert not Screen.of(pipe("utf-8"), {}).ascii_only
