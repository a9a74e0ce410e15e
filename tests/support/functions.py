"""Functions of a library as a client of the table: wrapped one by one, asked at one server."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from costspan.middleware.meter import MeterSource
from costspan.middleware.wrap import wrap


class Functions:
    """Some functions of a module.

    Attributes:
        url: Base URL of the server that they are to ask.
    """

    def __init__(self, url: str, functions: dict[str, Any]) -> None:
        self.url = url
        vars(self).update(functions)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A function of the module."""

    def wrapped(self, meter: MeterSource) -> Functions:
        """The same functions, each wrapped."""
        functions = {name: wrap(each, meter) for name, each in vars(self).items() if name != "url"}
        return Functions(self.url, functions)


def functions_of(module: ModuleType, *names: str) -> Callable[[str], Functions]:
    """How to make the client of some functions of a module."""

    def made(url: str) -> Functions:
        return Functions(url, {name: getattr(module, name) for name in names})

    return made


def wrapping(functions: Functions, meter: MeterSource) -> Functions:
    """The ``wrap`` of a surface of `Functions`."""
    return functions.wrapped(meter)
