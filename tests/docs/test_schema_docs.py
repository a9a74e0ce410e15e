"""What docs/ledger.md says of the tables, and its questions to them, held against a real ledger."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest

from costspan.core.types import Usage
from costspan.exporters.home import Home
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.row import RECORD_VERSION, encode
from costspan.exporters.ledger.schema import create_database
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest
from costspan.pricing.types import Cost, CostLine

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
SECTION = re.search(r"^## Asking it yourself\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
assert SECTION is not None
PARTS = dict(re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", SECTION[1], re.MULTILINE | re.DOTALL))
TABLES = ("calls", "call_requests", "repricings", "merged_segments", "migrations")
BATCH = (("some-batch", Decimal("0.5")),)


def line(meter: str, quantity: int, rate: str, amount: str, factors: Any = ()) -> CostLine:
    return CostLine(meter, quantity, Decimal(rate), 10**6, factors, Decimal(amount), "row")


def request(model: str, at: datetime, *lines: CostLine, **changes: Any) -> ProviderRequest:
    facts: dict[str, Any] = {
        "provider": "anthropic" if model == "claude-y" else "openai",
        "usage": Usage({one.meter: int(one.quantity) for one in lines}),
        "cost": Cost(sum((one.amount_usd for one in lines), Decimal(0)), "priced", lines),
    }
    return ProviderRequest(
        **{
            **facts,
            "api": "chat",
            "model_requested": model,
            "model": model,
            "started_at": at,
            "ended_at": at + timedelta(seconds=1),
            **changes,
        }
    )


def call(number: int, seconds: int, *requests: ProviderRequest, **changes: Any) -> Call:
    return Call(
        call_id=UUID(int=number),
        operation="chat",
        requests=requests,
        started_at=requests[0].started_at,
        ended_at=requests[0].started_at + timedelta(seconds=seconds),
        latency_us=seconds * 10**6,
        **{"status": "ok", "ended_by": "value", **changes},
    )


def made_calls() -> list[Call]:
    """Two chats about midnight in Berlin, a batch, one unpriced, one refused, one fallback."""
    evening = datetime(2026, 11, 1, 22, 30, tzinfo=UTC)
    night = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)
    noon = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
    first = request(
        "gpt-x",
        evening,
        line("tokens.in.text", 600, "2", "0.0012"),
        line("tokens.in.cache_read", 400, "0.5", "0.0002"),
        line("tokens.out.text", 100, "6", "0.0006"),
    )
    second = request(
        "gpt-x",
        night,
        line("tokens.in.text", 500, "2", "0.001"),
        line("tokens.out.text", 50, "6", "0.0003"),
        usage=Usage({"tokens.in.text": 500, "tokens.in.cache_read": 0, "tokens.out.text": 50}),
    )
    batch = request(
        "claude-y",
        noon,
        line("tokens.in.text", 2000, "6", "0.006", BATCH),
        line("tokens.out.text", 200, "30", "0.003", BATCH),
    )
    unknown = request(
        "mystery",
        noon,
        usage=Usage({"tokens.in.text": 10, "tokens.out.text": 5}),
        cost=Cost(None, "unpriced"),
    )
    limit = ErrorFacts("openai.RateLimitError", 429)
    refused = request("gpt-x", noon, usage=None, cost=None, error=limit)
    slow = request(
        "gpt-x",
        noon,
        line("tokens.in.text", 100, "2", "0.0002"),
        line("tokens.out.text", 10, "6", "0.00006"),
    )
    instead = request(
        "claude-y",
        noon,
        line("tokens.in.text", 100, "3", "0.0003"),
        line("tokens.out.text", 10, "15", "0.00015"),
    )
    return [
        call(1, 1, first, tags={"feature": "chat"}),
        call(2, 3, second, tags={"feature": "chat"}),
        call(3, 2, batch, tags={"feature": "search"}),
        call(4, 1, unknown),
        call(5, 1, refused, status="error", ended_by="raised", error=limit),
        call(6, 4, slow, instead),
    ]


EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "Spend by day and model": [
        (date(2026, 11, 1), "gpt-x", Decimal("0.0033"), 2),
        (date(2026, 11, 2), "claude-y", Decimal("0.00945"), 2),
        (date(2026, 11, 2), "gpt-x", Decimal("0.00026"), 2),
        (date(2026, 11, 2), "mystery", None, 1),
    ],
    "Spend by tag": [
        ("search", Decimal("0.009"), 1),
        ("chat", Decimal("0.0033"), 2),
        (None, Decimal("0.00071"), 3),
    ],
    "What has no price": [("openai", "mystery", 1, 10)],
    "Cost lines, meter by meter": [
        ("tokens.in.text", Decimal(3300), 0.0087),
        ("tokens.out.text", Decimal(370), 0.00411),
        ("tokens.in.cache_read", Decimal(400), 0.0002),
    ],
    "Share of the prompt that came from a cache": [("gpt-x", 0.267)],
    "Latency": [
        ("claude-y", 2, pytest.approx([3, 3.9])),
        ("gpt-x", 2, pytest.approx([2, 2.9])),
        ("mystery", 1, [1, 1]),
    ],
    "Days of your own time zone": [
        (date(2026, 11, 1), Decimal("0.0020")),
        (date(2026, 11, 2), Decimal("0.01101")),
    ],
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with the calls of `made_calls`."""
    home = Home(tmp_path_factory.mktemp("home"), named=True, fallback=False, reason="test")
    writer = Writer(home, record_version=RECORD_VERSION)
    for one in made_calls():
        assert writer.put(encode(one))
    writer.close()
    assert merge(home).rows == 6
    return home.path / "ledger.duckdb"


def documented(name: str) -> list[list[str]]:
    """The cells of the documented table of a table or view."""
    kind = "View" if name == "call_requests" else "Table"
    rows = re.findall(r"^\| (`.*) \|$", PARTS[f"{kind} `{name}`"], re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows]


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_documented(tmp_path: Path, name: str) -> None:
    create_database(tmp_path / "ledger.duckdb")
    with duckdb.connect(str(tmp_path / "ledger.duckdb"), read_only=True) as connection:
        described = connection.execute(f'SELECT * FROM (DESCRIBE "{name}")').fetchall()
    columns = [(f"`{column}`", kind) for column, kind, *_ in described]

    assert [(column, kind) for column, kind, *_ in documented(name)] == columns


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_meaning_and_says_what_null_means(name: str) -> None:
    rows = documented(name)

    assert all(len(cells) == 5 and cells[3] and cells[4] for cells in rows)


@pytest.mark.parametrize("name", ["calls", "repricings", "merged_segments"])
def test_never_null_is_a_constraint(ledger: Path, name: str) -> None:
    with duckdb.connect(str(ledger), read_only=True) as connection:
        described = connection.execute(f'SELECT * FROM (DESCRIBE "{name}")').fetchall()
    never = {column for column, _, null, *_ in described if null == "NO"}

    assert {cells[0].strip("`") for cells in documented(name) if cells[4] == "never"} == never


@pytest.mark.parametrize("name", TABLES)
def test_units_stand_in_the_names(name: str) -> None:
    ends = {"_usd": "USD", "_tokens": "tokens", "_us": "µs", "_at": "UTC", "_bytes": "bytes"}
    for cells in documented(name):
        column = cells[0].strip("`")
        for end, unit in ends.items():
            if column.endswith(end):
                assert cells[2] == unit, column


@pytest.mark.parametrize("heading", EXPECTED)
def test_worked_examples(ledger: Path, heading: str) -> None:
    found = re.search(r"^```sql\n(.*?)^```$", PARTS[heading], re.MULTILINE | re.DOTALL)
    assert found is not None
    with duckdb.connect(str(ledger), read_only=True) as connection:
        assert connection.execute(found[1]).fetchall() == EXPECTED[heading]


def test_every_worked_example_is_tested() -> None:
    assert {name for name, text in PARTS.items() if "```sql" in text} == set(EXPECTED)


def test_opened_from_python(ledger: Path) -> None:
    found = re.search(
        r"^```py\n(.*?)^```$", SECTION[1] if SECTION else "", re.MULTILINE | re.DOTALL
    )
    assert found is not None
    code = found[1].replace("/path/to/ledger.duckdb", str(ledger))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert re.search(r"\b6\b.*\b0\.013010000000\b", done.stdout)
