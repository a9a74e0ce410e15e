"""``costspan.report``: the rows of a report, for notebooks and programs.

The ledger is read by a process of its own, so that DuckDB, its threads and its locks stay out of
this one.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from decimal import Decimal
from typing import Any

from costspan.exporters.beside import command, has_interpreter
from costspan.reports.errors import ReportError

_MONEY = ("cost_usd", "cost")
_INTERRUPTED = 130
_log = logging.getLogger("costspan")


def report(
    by: str | None = None,
    since: str | None = None,
    until: str | None = None,
    *,
    tz: str = "UTC",
    currency: str | None = None,
    estimates: bool = False,
    home: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """What ``costspan report`` says, as rows; what it says beside them is logged as a warning.

    Args:
        by: ``model`` (the default), ``provider``, ``day``, ``hour``, ``tag:NAME``, ``status``,
            ``cost_status``, ``operation`` or ``session``.
        since: Calls from then on: ``30m``, ``24h``, ``7d``, ``2w`` (ago), ``2026-11-01`` or
            ``2026-11-01T08:30Z``; None for all.
        until: Calls before then.
        tz: Time zone of days, hours and instants.
        currency: For the column ``cost``: a currency of your own prices; None for theirs.
        estimates: How far the estimates were from the truth, by model, instead of the spend.
        home: The ledger's folder; None for the one that is in force.

    Returns:
        A row per value, dearest first, days and hours in their order. The first key is named after
        the grouping; counts are int, money is Decimal, and None is what is not known. The keys are
        those of ``costspan report --format json`` (docs/cli.md).

    Raises:
        ReportError: It cannot be made; the text is that of the command line.

    Example:
        >>> import costspan
        >>> rows = costspan.report(by="day", since="7d")
    """
    options = {"by": by, "since": since, "until": until, "tz": tz, "currency": currency}
    options["home"] = None if home is None else os.fspath(home)
    # As one word each, so that no value is taken for an option.
    words = [f"--{name}={value}" for name, value in options.items() if value is not None]
    said = _run(["report", "--format=json", *words, *(["--estimates"] if estimates else [])])
    return [
        {name: Decimal(value) if name in _MONEY and value else value for name, value in row.items()}
        for row in json.loads(said)
    ]


def _run(arguments: list[str]) -> str:
    """Run a command of the command line in a process of its own; return what it prints.

    Raises:
        ReportError: It failed.
    """
    if not has_interpreter():
        raise ReportError(
            f"costspan.report() runs a Python of its own, and {sys.executable or 'this program'} "
            "is none: ask by `costspan report --format json` where Python is installed"
        )
    words, environment = command(*arguments)
    done = subprocess.run(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode in (_INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt
    told = [line.removeprefix("costspan: ") for line in done.stderr.splitlines() if line]
    if done.returncode:
        reason = told[-1] if told else f"the report ended with exit code {done.returncode}"
        raise ReportError(reason)
    for line in told:
        _log.warning("costspan: %s", line)
    return done.stdout
