"""On which line of a TOML file a key stands: the standard library's parser does not say."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[{1,2}\s*([^\]\s]+)\s*\]")


class Lines:
    """The lines of a TOML text, by table and key.

    Args:
        text: The file's text.
    """

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._headers = [
            (number, found[1].replace('"', ""))
            for number, line in enumerate(self._lines, start=1)
            if (found := _HEADER.match(line))
        ]

    def find(self, table: str, index: int, key: str = "") -> int:
        """Find a key of the table that comes at an index among those of its name.

        Args:
            table: Its name; empty for what stands before all tables.
            index: Which of them, from 0.
            key: The key; empty for the table itself.

        Returns:
            A line number, from 1: of the key, or else of its table.
        """
        start, end = self._span(table, index)
        if key:
            pattern = re.compile(rf"(?:^|[\s{{,.])[\"']?{re.escape(key)}[\"']?\s*=")
            for number in range(start, end):
                if pattern.search(self._lines[number - 1]):
                    return number
            inner = [n for n, name in self._headers if start < n < end and name.endswith(f".{key}")]
            if inner:
                return inner[0]
        return start

    def _span(self, table: str, index: int) -> tuple[int, int]:
        """The lines of a table with those of the tables within it: first, and first after it."""
        after = len(self._lines) + 1
        if not table:
            return 1, min([number for number, _ in self._headers], default=after)
        starts = [number for number, name in self._headers if name == table]
        if index >= len(starts):  # written as an array of inline tables
            return self.find("", 0, table.partition(".")[0]), after
        start = starts[index]
        ends = [
            number
            for number, name in self._headers
            if number > start and not name.startswith(f"{table}.")
        ]
        return start, min(ends, default=after)
