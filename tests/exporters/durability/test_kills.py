"""A process that is killed takes no call with it that has returned, whoever merges meanwhile."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from costspan.exporters.ledger.merge import merge

if TYPE_CHECKING:
    from tests.exporters.durability.conftest import Start

PROGRAMS = Path(__file__).with_name("programs.py")


def has_begun(counter: Path) -> bool:
    """Whether a first call has returned."""
    return any(counter.read_bytes())


def test_kill_of_applications_while_merges_go_on(
    home: Path,
    start: Start,
    stored: Callable[[], dict[str, list[int]]],
    until: Callable[[Callable[[], object]], None],
    tmp_path: Path,
) -> None:
    """Each counts the calls that returned where the count outlives it; a merge runs at its end."""
    moments = random.Random(7)
    returned: dict[str, int] = {}
    for round_ in range(2):
        counters = [tmp_path / f"application-{round_}-{number}" for number in range(3)]
        running = []
        for counter in counters:
            counter.write_bytes(bytes(8))
            running.append(start(PROGRAMS, "until_killed", counter.name, counter))
        for counter in counters:
            until(functools.partial(has_begun, counter))
        merge(home, wait_s=5)
        for counter, process in zip(counters, running, strict=True):
            time.sleep(moments.uniform(0, 0.1))
            process.kill()
            process.wait()
            returned[counter.name] = int.from_bytes(counter.read_bytes(), "little")

    found = stored()

    assert found.keys() == returned.keys()
    for who, calls in found.items():
        assert calls == list(range(len(calls)))
        # A call that was under way when the kill came may be there or not.
        assert returned[who] <= len(calls) <= returned[who] + 1
    merge(home, wait_s=5)  # one that was started in the background may have been in the way
    # A segment that was half made when the kill came has no name yet, and goes after a minute.
    assert not list((home / "spool").glob("*.seg"))
