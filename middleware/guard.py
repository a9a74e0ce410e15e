"""The one guard: a failure of ours never becomes a failure of the user's call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from costspan.middleware.cancellation import is_cancellation

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("costspan")


class Guard:
    """Runs our own steps around the user's call; logs the first failure of a kind, counts all.

    Attributes:
        failures: How many steps failed, by the step's name.
    """

    def __init__(self) -> None:
        self.failures: dict[str, int] = {}
        self._logged: set[tuple[str, type[BaseException]]] = set()

    def run(
        self, step: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """Call ``function``; on any failure of it return None instead of raising.

        Args:
            step: Name of the step for the log and the count (``settle``, ``export ledger``).
            function: What to run, with its arguments.

        Returns:
            What the function returned, or None if it failed.
        """
        try:
            return function(*args, **kwargs)
        except BaseException as error:  # not Exception: a Rust panic (tiktoken) is none
            if is_cancellation(error):
                raise
            self.failures[step] = self.failures.get(step, 0) + 1
            kind = (step, type(error))
            if kind not in self._logged:
                self._logged.add(kind)
                _log.warning(
                    "costspan: %s failed and was skipped (your call is not affected); "
                    "further failures of this kind are only counted",
                    step,
                    exc_info=error,
                )
            return None
