"""The table of ratios, and how its terms are timed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ALONE = {**os.environ, "COSTSPAN_AUTOMERGE": "0"}
"""The environment of processes that must not start a merge of their own in the midst."""
ALONE.pop("PYTHONDONTWRITEBYTECODE", None)  # or our modules are compiled in each of them


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the table.

    Attributes:
        name: What is divided by what.
        measured: The ratio, or a count, or a share.
        limit: What it may come to at most, or must come to at least.
        at_least: Whether the limit is a lower one.
        form: How the numbers are shown.
        note: The terms.
    """

    name: str
    measured: float
    limit: float
    at_least: bool = False
    form: str = ".2f"
    note: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the limit is kept."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def show(ratio: Ratio) -> None:
    """Print a line of the table."""
    sign = ">=" if ratio.at_least else "<="
    print(
        f"{ratio.name:<58} {ratio.measured:>9{ratio.form}}   {sign} {ratio.limit:<7{ratio.form}}"
        f"{'ok' if ratio.is_met else 'NO':<4}{ratio.note}",
        flush=True,
    )


def show_head() -> None:
    """Print the head of the table."""
    print(f"{'ratio':<58} {'measured':>9}   {'limit':<10}ok  terms", flush=True)


def seconds(work: Callable[[], object]) -> float:
    """How long one run takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def best_of(times: int, *works: Callable[[], object]) -> list[float]:
    """The shortest run of each work in seconds; they take turns, so that noise meets them all."""
    return [min(one) for one in zip(*([*map(seconds, works)] for _ in range(times)), strict=True)]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of one run by the clock, and of processors in this process, which noise spares."""
    used = time.process_time()
    taken_s = seconds(work)
    return taken_s, time.process_time() - used


def run(*words: str, code: str = "", home: Path | None = None) -> str:
    """Run Python in a process of its own and give what it prints.

    Args:
        words: What follows ``python``, or the arguments of ``code``.
        code: A program.
        home: ``COSTSPAN_HOME``.
    """
    command = [sys.executable, *(["-c", code] if code else []), *words]
    env = ALONE if home is None else {**ALONE, "COSTSPAN_HOME": str(home)}
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
