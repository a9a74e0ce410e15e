"""``costspan demo``: real calls to a small model, on this machine."""

from __future__ import annotations

import click

from costspan.cli_interrupt import cleaning_up


@click.command()
@click.option(
    "--home",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Folder of its ledger; by default COSTSPAN_HOME, else one of its own here.",
)
def demo(home: str | None) -> int:
    """Real calls to a small model on this machine.

    They are watched, priced as if the model were a paid one, and reported at the end.

    \b
    Examples:
      costspan demo
      costspan demo --home /tmp/try
    """
    with cleaning_up():
        from costspan import demo as module

        return module.main(home)
