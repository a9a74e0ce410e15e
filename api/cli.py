"""The command line. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from costspan.cli_estimate import estimate
from costspan.cli_interrupt import EXIT_CODE as EXIT_INTERRUPTED
from costspan.cli_ledger import config, doctor, merge
from costspan.cli_reports import calls, report

EXIT_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """The command ``costspan``: run, say what went wrong in one line, exit.

    Exits with 0, with 1 (``doctor`` found something lost or broken, ``demo`` lacks packages), 2 (a
    known error) or 130 (Ctrl-C).
    """
    if isinstance(sys.stdout, TextIOWrapper):  # What it cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(arguments, prog_name="costspan", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    except click.ClickException as error:
        click.echo(f"costspan: {_message(error)}", err=True)
        code = EXIT_ERROR
    sys.exit(code if isinstance(code, int) else 0)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="costspan", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Know what every LLM call costs.

    \b
    Examples:
      costspan report --by model --since 7d
      costspan calls -n 5
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
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
    from costspan import demo as module

    return module.main(home)


for command in (report, calls, estimate, config, doctor, merge):
    cli.add_command(command)


def _message(error: click.ClickException) -> str:
    from costspan.reports.text import safe

    message = safe(error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} (see: {error.ctx.command_path} --help)"
    return message
