"""How far each segment of the spool is in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def merged_bytes(
    connection: duckdb.DuckDBPyConnection, database: str | None = None
) -> dict[str, int]:
    """Segment name to the number of its bytes that are merged.

    Args:
        connection: A connection that has the ledger open.
        database: The name it is attached by; None for the current database.
    """
    table = f"{database}.merged_segments" if database else "merged_segments"
    rows = connection.execute(f"SELECT segment, max(merged_bytes) FROM {table} GROUP BY segment")
    return dict(rows.fetchall())
