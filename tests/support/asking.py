"""Completion functions for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def returning(make: Callable[[], Any]) -> Callable[[str, Any], Any]:
    """A completion function that answers each call with what ``make`` gives."""

    def ask(model: str, messages: Any) -> Any:
        return make()

    return ask
