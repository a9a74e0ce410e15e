"""Says on a terminal that something long is under way."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

AFTER_S = 1.0


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Inside, say each second what is being done and for how long; what is quick says nothing.

    Args:
        what: As a person reads it: ``writing the copy``.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    started = time.monotonic()

    def tell() -> None:
        while not done.wait(AFTER_S):
            click.echo(f"\r{what}: {time.monotonic() - started:.0f} s ", nl=False, err=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if time.monotonic() - started >= AFTER_S:
            click.echo("\r\x1b[K", nl=False, err=True)
