"""A reader's connection reaches nothing but the ledger, whatever SQL it is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from costspan.exporters.home import Home
from costspan.exporters.ledger.read import Reader, open_ledger
from costspan.exporters.ledger.row import encode
from costspan.exporters.ledger.spool import Writer
from costspan.middleware.record import Call

REACHING_OUT = (
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_parquet('{secret}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv('https://example.org/x.csv')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT getenv('HOME')",
    "ATTACH '{folder}/other.duckdb'",
    "ATTACH '{ledger}' AS again",
    "COPY calls TO '{folder}/stolen.csv'",
    "COPY (SELECT 1) TO '{folder}/stolen.parquet'",
    "COPY calls FROM '{secret}'",
    "EXPORT DATABASE '{folder}/stolen'",
    "IMPORT DATABASE '{folder}'",
    "INSTALL httpfs",
    "INSTALL '{folder}/x.duckdb_extension'",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "CREATE SECRET (TYPE s3)",
    "PRAGMA log_query_path = '{folder}/log'",
)
SETTING = (
    "SET enable_external_access = true",
    "RESET enable_external_access",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "SET allowed_paths = ['/etc/passwd']",
    "SET allow_unsigned_extensions = true",
    "SET autoinstall_known_extensions = true",
    "SET autoload_known_extensions = true",
    "SET extension_directory = '{folder}'",
    "SET temp_directory = '{folder}'",
    "SET memory_limit = '1TB'",
    "SET threads = 1000",
)
WRITING = (
    "INSERT INTO ledger.calls SELECT * FROM ledger.calls",
    "UPDATE ledger.calls SET cost_usd = 0",
    "DELETE FROM ledger.calls",
    "DROP TABLE ledger.calls",
    "CREATE TABLE ledger.more (a INTEGER)",
)


@pytest.fixture
def reader(
    home: Home, make_call: Callable[..., Call], open_writer: Callable[..., Writer]
) -> Iterator[Reader]:
    """A reader of a ledger with one call."""
    open_writer(home).put(encode(make_call(0, 0)))
    with open_ledger(home) as opened:
        yield opened


@pytest.mark.parametrize("sql", [*REACHING_OUT, *SETTING, *WRITING])
def test_it_is_refused(reader: Reader, home: Home, tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    names = {"secret": secret, "folder": tmp_path, "ledger": home.path / "ledger.duckdb"}

    with pytest.raises(duckdb.Error):
        reader.execute(sql.format(**names))

    assert sorted(os.listdir(tmp_path)) == ["home", "secret.csv"]
    assert reader.execute("SELECT count(*) FROM calls").rows == [(1,)]
