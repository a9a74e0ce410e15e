"""The commands, and how they end. Whatever is heavy is imported by the command that needs it."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword

import click

from costspan.cli import EXIT_INTERRUPTED

COMMANDS = {
    **dict.fromkeys(("report", "calls"), "cli_reports"),
    **dict.fromkeys(("config", "doctor"), "cli_ledger"),
    "demo": "cli_demo",
    "estimate": "cli_estimate",
    "explain": "cli_explain",
    "import": "cli_import",
    "ledger": "cli_care",
    "merge": "cli_merge",
    "prices": "cli_prices",
    "reprice": "cli_reprice",
    "run": "cli_run",
}
"""Command to the module that has it, under its own name or, for a word of Python, as ``command``:
one is imported when it is asked for, so that a report starts without all the others."""
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


class _Lazy(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, those that are not imported yet too."""
        return sorted((*COMMANDS, *super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None if there is none."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"costspan.{COMMANDS[cmd_name]}")
        name = "command" if iskeyword(cmd_name) else cmd_name
        found: click.Command = getattr(module, name)
        return found


@click.group(
    cls=_Lazy,
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
