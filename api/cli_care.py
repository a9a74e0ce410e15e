"""``costspan ledger``: looks after the ledger's folder."""

from __future__ import annotations

import click

from costspan.cli_copies import backup, export
from costspan.cli_erase import prune
from costspan.cli_forget import forget
from costspan.cli_health import check, info, repair


@click.group()
def ledger() -> None:
    """Look after the ledger: its size, copies, old calls, damage.

    \b
    Examples:
      costspan ledger info
      costspan ledger backup /backup/ledger.duckdb
    """


for command in (info, check, repair, backup, export, prune, forget):
    ledger.add_command(command)
