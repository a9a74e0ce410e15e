"""Errors that people meet on the command line, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Inside, our own errors become click's: one line, no traceback, exit code 2."""
    from costspan.exporters.home import HomeError
    from costspan.exporters.importers.sources import SourceError
    from costspan.exporters.ledger.errors import LedgerError
    from costspan.middleware.config import ConfigError
    from costspan.pricing.errors import UpdateError
    from costspan.reports.errors import ReportError

    ours = (LedgerError, HomeError, SourceError, ConfigError, UpdateError, ReportError)
    try:
        yield
    except ours as error:
        raise click.ClickException(str(error)) from error
