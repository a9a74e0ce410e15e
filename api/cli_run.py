"""``costspan run``: start a program whose calls are recorded, without a change to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import which

import click

from costspan.cli_errors import one_line_errors

AUTORUN = Path(__file__).with_name("autorun")
"""The folder whose ``sitecustomize`` Python runs when it starts."""


def _checked(context: click.Context, option: click.Parameter, tags: str | None) -> str | None:
    """Refuse tags that cannot be read, by the name of the option that they stand in."""
    from costspan.middleware.tags import TagError, parse_tags

    try:
        parse_tags(tags or "")
    except TagError as error:
        raise click.BadParameter(str(error)) from error
    return tags


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--tags",
    metavar="NAME=VALUE,...",
    callback=_checked,
    help="Tags on every call of the program.",
)
@click.option("--home", metavar="DIR", help="The ledger's folder; see: costspan config")
@click.option("--config", metavar="FILE", help="The configuration file.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(tags: str | None, home: str | None, config: str | None, command: tuple[str, ...]) -> int:
    """Run a program and record the calls that it makes.

    Those of Python programs through SDKs, also in the processes that they
    start, reload or fork. What comes after COMMAND belongs to it.

    \b
    Examples:
      costspan run python app.py
      costspan run --tags team=search uvicorn --reload app:app
    """
    if command[0].startswith("-"):
        raise click.NoSuchOption(command[0])
    environment = program_environment(os.environ, tags=tags, home=home, config=config)
    with one_line_errors():
        from costspan.calling import check_configuration
        from costspan.exporters.home import resolve_home
        from costspan.middleware.config import load

        check_configuration(environment)
        resolve_home(load(environment).home)
    program = which(command[0], path=environment.get("PATH"))
    if program is None:
        raise click.ClickException(
            f"{command[0]}: no such command: give a program that is on PATH, "
            f"or a script as: costspan run python {command[0]}"
        )
    return _become(program, command, environment)


def program_environment(
    environ: Mapping[str, str],
    *,
    tags: str | None = None,
    home: str | None = None,
    config: str | None = None,
) -> dict[str, str]:
    """The environment of the program: Python finds our ``sitecustomize`` before all others.

    Args:
        environ: The environment of this process.
        tags: Tags as ``COSTSPAN_TAGS`` has them; they go over those that are there.
        home: The ledger's folder.
        config: The configuration file.
    """
    environment = dict(environ)
    theirs = environ["PYTHONPATH"].split(os.pathsep) if environ.get("PYTHONPATH") else []
    path = [str(AUTORUN), *(part for part in theirs if part != str(AUTORUN))]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    environment.pop("COSTSPAN_RUN_SAID", None)
    if tags:
        environment["COSTSPAN_TAGS"] = ",".join(filter(None, (environ.get("COSTSPAN_TAGS"), tags)))
    # Whole paths: the program may change its folder.
    if home:
        environment["COSTSPAN_HOME"] = os.path.abspath(os.path.expanduser(home))
    if config:
        environment["COSTSPAN_CONFIG"] = os.path.abspath(os.path.expanduser(config))
    return environment


def _become(program: str, command: tuple[str, ...], environment: Mapping[str, str]) -> int:
    """Be the program from here on; on Windows, wait for it and end as it ends."""
    if sys.platform != "win32":
        os.execve(program, command, environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which gets it too
    return subprocess.call([program, *command[1:]], env=environment)
