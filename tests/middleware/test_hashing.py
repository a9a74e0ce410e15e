"""Hashed tags: what stands for a value, and what is said without a key."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import costspan
from costspan.exporters.ledger.merge import merge
from costspan.exporters.memory import InMemoryExporter
from costspan.exporters.otel import OTelExporter
from costspan.middleware.config import ConfigError, load
from costspan.middleware.hashing import TagHasher, is_hashed, tag_hasher, without_tags

KEY = "0123456789abcdef"
ALICE = "alice@example.org"


def ask(model: str) -> dict[str, object]:
    """A completion function, as users have them."""
    return {"model": model, "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 2}}


def test_the_hash_is_the_first_half_of_hmac_sha256_of_name_and_value() -> None:
    whole = hmac.new(KEY.encode(), b"4:useralice@example.org", hashlib.sha256).hexdigest()

    hashed = TagHasher(["user"], KEY.encode()).hashed("user", ALICE)

    assert hashed == f"h:{whole[:32]}"
    assert is_hashed(hashed)
    assert not is_hashed(ALICE)


def test_only_the_named_tags_are_hashed_and_the_others_stay_the_same_object() -> None:
    hasher = TagHasher(["user"], KEY.encode())
    others = {"team": "search"}

    assert hasher(others) is others
    assert hasher({"team": "search", "user": ALICE}) == {
        "team": "search",
        "user": hasher.hashed("user", ALICE),
    }


@given(st.text(), st.text(), st.text(), st.text())
def test_different_tags_have_different_hashes(a: str, b: str, c: str, d: str) -> None:
    hasher = TagHasher([], KEY.encode())

    assert (hasher.hashed(a, b) == hasher.hashed(c, d)) == ((a, b) == (c, d))


def test_half_of_a_surrogate_pair_can_be_hashed() -> None:
    assert is_hashed(TagHasher(["user"], KEY.encode()).hashed("user", "\ud800"))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "COSTSPAN_HASH_KEY is not set: set it to a secret of at least 16 bytes"),
        ({"COSTSPAN_HASH_KEY": ""}, "is not set"),
        ({"COSTSPAN_HASH_KEY": "x" * 15}, "COSTSPAN_HASH_KEY has 15 bytes"),
    ],
)
def test_without_a_key_nothing_is_set_up(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        tag_hasher(["user"], environ)


def test_a_text_is_no_list_of_names() -> None:
    with pytest.raises(ConfigError, match="hashed_tags = 'user': give a list"):
        tag_hasher("user", {"COSTSPAN_HASH_KEY": KEY})


def test_nothing_to_hash_needs_no_key() -> None:
    assert tag_hasher([], {}) is None
    assert without_tags({"user": ALICE}) == {}


def test_neither_spool_nor_ledger_nor_span_holds_the_plain_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSTSPAN_HASH_KEY", KEY)
    spans, memory, home = InMemorySpanExporter(), InMemoryExporter(), tmp_path / "home"
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    meter = costspan.Meter(
        home=home,
        exporters=["ledger", OTelExporter(tracer_provider=provider), memory],
        hashed_tags=("user", "session_id", "office"),
        tags={"office": "Lovelace Tower"},
    )
    with costspan.tags(user=ALICE, session_id="talk with alice", team="search"):
        costspan.wrap(ask, meter=meter)("gpt-4o")
    meter.flush(5)

    hashed = TagHasher([], KEY.encode()).hashed
    plain = (ALICE, "talk with alice", "Lovelace Tower")
    spooled = b"".join(path.read_bytes() for path in (home / "spool").iterdir())
    merge(home)
    rows = duckdb.connect(str(home / "ledger.duckdb"), read_only=True)
    (stored,) = rows.execute("SELECT session_id, tags::VARCHAR FROM calls").fetchall()
    rows.close()
    (span,) = spans.get_finished_spans()
    told = [spooled.decode(), str(stored), span.to_json(), repr(memory.calls)]

    assert stored[0] == hashed("session_id", "talk with alice")
    assert json.loads(stored[1]) == {
        "office": hashed("office", "Lovelace Tower"),
        "user": hashed("user", ALICE),
        "session_id": hashed("session_id", "talk with alice"),
        "team": "search",
    }
    for text in told:
        assert hashed("user", ALICE) in text
        assert [value for value in plain if value in text] == []
    meter.close()
    provider.shutdown()


def test_the_configuration_says_which_tags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "costspan.toml"
    file.write_text('exporters = []\nhashed_tags = ["user"]\ntags = {user = "alice"}')
    monkeypatch.setenv("COSTSPAN_HASH_KEY", KEY)
    meter = costspan.Meter.from_config(load({}, tmp_path))
    meter.close()

    assert meter.tags == {"user": TagHasher([], KEY.encode()).hashed("user", "alice")}
