"""What can be wrong with a question to the ledger."""

from __future__ import annotations


class ReportError(ValueError):
    """A report that cannot be made as asked; its text names the value and what is allowed."""
