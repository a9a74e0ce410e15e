"""What the ledger costs, as ratios whose terms are measured in the same run.

Usage: python benchmarks/ledger.py [FOLDER] [--fast] [--rows N]

FOLDER, on a local disk, by default a temporary one, keeps the ledger of N calls (10,000,000 by
default) for another run; with --fast all sizes are small, and it takes less than three minutes.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from durability import kill_merges, kill_writers
from ledger_merge import merge_ratios
from ledger_scale import filled, scale_ratios
from ledger_table import ALONE, Ratio, show, show_head
from ledger_writer import write, writer_ratios


def main() -> None:
    """Print the table."""
    os.environ.update(ALONE)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--rows", type=int)
    words = parser.parse_args()
    rows = words.rows or (500_000 if words.fast else 10_000_000)
    with tempfile.TemporaryDirectory(dir=words.folder) as temporary:
        home = filled(words.folder or Path(temporary), rows)
        ratios = [*scale_ratios(home)]
        show_head()
        for ratio in chain(ratios, _others(Path(temporary), home, fast=words.fast)):
            show(ratio)


def _others(folder: Path, home: Path, *, fast: bool) -> Iterator[Ratio]:
    yield from writer_ratios(folder, 10_000 if fast else 30_000)
    calls, merges = (40_000, 100) if fast else (160_000, 600)
    yield from merge_ratios(folder, calls, merges, home)
    records, kills, merge_kills = (20_000, 8, 10) if fast else (500_000, 80, 100)
    chance = random.Random(1)
    for outcome in (
        kill_writers(folder, kills, records, chance),
        kill_merges(folder, merge_kills, chance),
    ):
        terms = f"{outcome.times:,} times, {outcome.written:,} calls"
        for what, number in (("lost", outcome.lost), ("twice", outcome.twice)):
            yield Ratio(f"{what}: {outcome.what}", number, 0, form=".0f", note=terms)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
