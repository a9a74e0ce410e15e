"""Being told when one of a few modules has been imported, by whoever imports it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeAlias

Guarded: TypeAlias = Callable[..., Any]
"""Runs ``(step, function, *arguments)`` so that a failure of ours fails no import."""


class ImportHook:
    """A finder on ``sys.meta_path`` that finds nothing by itself.

    It asks the finders after it for the module, and has the loader that they give say when the
    module has been executed. The loader stays the very object that they gave.

    Args:
        names: Full names of the modules.
        imported: Told of a module that has just been executed, before whoever imports it goes on.
        guarded: Runs a step of ours.
    """

    def __init__(
        self,
        names: Collection[str],
        imported: Callable[[str, ModuleType], None],
        guarded: Guarded,
    ) -> None:
        self._names = names
        self._imported = imported
        self._guarded = guarded
        self._looking = threading.local()

    def install(self) -> None:
        """Be asked first from now on."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Be asked no more."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders give; None for modules that nobody waits for."""
        if fullname not in self._names:
            return None
        looking: set[str] = self._looking.__dict__.setdefault("names", set())
        if fullname in looking:  # another hook asks all finders in its turn
            return None
        looking.add(fullname)
        try:
            spec = self._found_by_others(fullname, path, target)
        finally:
            looking.discard(fullname)
        if spec is not None and spec.loader is not None:
            self._guarded("follow an import", self._follow, spec.loader, fullname)
        return spec

    def _found_by_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None

    def _follow(self, loader: Any, fullname: str) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            # First, so that the loader (which may be that of many modules) is what it was.
            vars(loader).pop("exec_module", None)
            execute(module)
            if module.__name__ == fullname:
                self._guarded("follow an import", self._imported, fullname, module)

        loader.exec_module = exec_module
