"""Recorded calls priced again: how many a second, and in how much memory.

Usage: python benchmarks/reprice.py [CALLS]

CALLS (100,000 by default) of two models are recorded by a catalogue in which one of them was
dearer, and then repriced by ``costspan reprice``, first without writing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import costspan
from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.pricing.books import Shelf
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.rows import FOLDER

RATE = "openai,gpt-4o-2024-08-06,tokens.in.text,2.5,"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


def main(calls: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _record(calls, home, _older(Path(folder) / "older"))
        _costspan("merge", home)
        print(f"{calls:,} calls, two thirds of them dearer when they were recorded")
        for title, options in (("dry run", ["--dry-run"]), ("written", [])):
            started = time.perf_counter()
            peak_mb = _costspan("reprice", home, *options)
            seconds = time.perf_counter() - started
            print(f"{title:<8} {calls / seconds:>8,.0f} calls/s  {peak_mb:>5,.0f} MB")


def _older(folder: Path) -> Catalogue:
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    prices = folder / "prices.csv"
    text = prices.read_text(encoding="utf-8")
    assert RATE in text
    prices.write_text(text.replace(RATE, RATE.replace("2.5", "3.5")), encoding="utf-8")
    return Catalogue(Shelf(folder))


def _record(calls: int, home: Path, catalogue: Catalogue) -> None:
    def ask(model: str, messages: list[dict[str, str]]) -> dict[str, object]:
        return {"object": "chat.completion", "model": model, "choices": [], "usage": USAGE}

    exporter = LedgerExporter(resolve_home(home))
    meter = costspan.Meter(exporters=[exporter], home=home, catalogue=catalogue)
    asked = costspan.wrap(ask, meter=meter)
    for number in range(calls):
        asked("gpt-4o" if number % 3 else "claude-opus-4-6", [{"role": "user", "content": "hi"}])
    meter.close()


def _costspan(command: str, home: Path, *options: str) -> float:
    """Run a command on a home; return its peak memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "costspan", command, *options],
        env={**os.environ, "COSTSPAN_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        cwd=home,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"costspan {command} failed")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
