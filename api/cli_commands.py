"""The commands, and how they end. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from costspan.cli import EXIT_INTERRUPTED
from costspan.cli_care import ledger
from costspan.cli_estimate import estimate
from costspan.cli_explain import explain
from costspan.cli_import import import_command
from costspan.cli_interrupt import cleaning_up
from costspan.cli_ledger import config, doctor
from costspan.cli_merge import merge
from costspan.cli_prices import prices
from costspan.cli_reports import calls, report
from costspan.cli_reprice import reprice

EXIT_ERROR = 2
OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Of an error without a file: it was the standard output that could not be written."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command and say in one line what went wrong; return the exit code."""
    if sys.stdout is None:  # Closed by who started us: say it to nobody.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(sys.stdout, TextIOWrapper):  # What it cannot show is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(arguments, prog_name="costspan", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        return _fail(_message(error))
    except OSError as error:
        return _fail(_system_message(error))
    return code if isinstance(code, int) else 0


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
    with cleaning_up():
        from costspan import demo as module

        return module.main(home)


for command in (
    *(report, calls, explain, reprice, prices, estimate),
    *(config, doctor, merge, ledger, import_command),
):
    cli.add_command(command)


def _fail(message: str) -> int:
    with contextlib.suppress(OSError):
        click.echo(f"costspan: {message}", err=True)
    return EXIT_ERROR


def _message(error: click.ClickException) -> str:
    from costspan.reports.text import safe

    message = safe(error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{message} (see: {error.ctx.command_path} --help)"
    return message


def _system_message(error: OSError) -> str:
    from costspan.reports.text import safe

    reason = error.strerror or str(error)
    if error.filename:
        return safe(f"{error.filename}: {reason}")
    if error.errno not in OUTPUT_ERRORS:
        return safe(reason)
    # Or Python tries to write what is left at its exit, and prints what comes of it.
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"the output cannot be written: {reason}"
