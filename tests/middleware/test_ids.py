"""Call ids are UUIDs of version 7 that sort by time."""

from __future__ import annotations

from costspan.middleware.ids import new_call_id


def test_layout_of_rfc_9562() -> None:
    # 2022-02-22T19:22:22Z is 0x017F22E279B0 ms: the example of RFC 9562, appendix A.6.
    made = new_call_id(0x017F22E279B0 * 1_000_000)

    assert made.hex[:12] == "017f22e279b0"
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_later_ids_sort_later() -> None:
    ids = [new_call_id(ms * 1_000_000) for ms in (1, 2, 1_000, 1_000_000_000_000)]

    assert sorted(ids) == ids


def test_ids_of_one_instant_differ() -> None:
    assert len({new_call_id(5) for _ in range(10_000)}) == 10_000
