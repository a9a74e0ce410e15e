"""Call ids are UUIDs of version 7 that sort by time."""

from __future__ import annotations

import os
import uuid

from costspan.middleware.ids import CallIds


def test_layout_of_rfc_9562() -> None:
    # 2022-02-22T19:22:22Z is 0x017F22E279B0 ms: the example of RFC 9562, appendix A.6.
    made = CallIds().new(0x017F22E279B0 * 1_000_000, 1)

    assert made.hex[:12] == "017f22e279b0"
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_later_ids_sort_later() -> None:
    make = CallIds()
    ids = [make.new(ms * 1_000_000, 1) for ms in (1, 2, 1_000, 1_000_000_000_000)]

    assert sorted(ids) == ids


def test_ids_of_one_instant_differ() -> None:
    make = CallIds()

    assert len({make.new(5, 1) for _ in range(10_000)}) == 10_000


def test_it_is_an_ordinary_uuid() -> None:
    made = CallIds().new(5, 1)

    assert made == uuid.UUID(str(made))
    assert hash(made) == hash(uuid.UUID(str(made)))
    assert made.is_safe is uuid.SafeUUID.unknown


def test_a_forked_child_does_not_repeat_its_parents_ids() -> None:
    make = CallIds()
    make.new(5, os.getpid())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's lines are not measured
        os.write(writer, make.new(5, os.getpid()).bytes)
        os._exit(0)
    os.waitpid(child, 0)

    assert uuid.UUID(bytes=os.read(reader, 16)) != make.new(5, os.getpid())
