"""Watching all clients of the SDKs without a ``wrap``: their classes are followed at import."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from costspan.middleware.followed import FOLLOWED
from costspan.middleware.import_hook import ImportHook

if TYPE_CHECKING:
    from costspan.middleware.automatic import AutomaticMeter
    from costspan.middleware.guard import Guard
    from costspan.middleware.meter import MeterSource


_MISSING: Final = object()


class Instrumentation:
    """Follows the SDKs from `install` to `remove`, each SDK on its own.

    Nothing is imported for it: a module that has been imported is followed at once, any other when
    it is imported.

    Args:
        meter: Gives the Meter in force.

    Attributes:
        guard: Runs each step, so that what one SDK lacks harms neither the others nor the program;
            None before the first step.
    """

    def __init__(self, meter: MeterSource) -> None:
        self._source = meter
        self._meter: AutomaticMeter | None = None
        self.guard: Guard | None = None
        self._active = True
        self._making = threading.local()
        self._clients: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._undo: list[Callable[[], None]] = []
        self._hook = ImportHook(FOLLOWED, self._imported, self._guarded)

    def use(self, meter: MeterSource) -> None:
        """Have all calls from now on measured by another Meter."""
        self._source = meter

    def install(self) -> None:
        """Follow the modules that are there, and those to come."""
        self._hook.install()
        for name in FOLLOWED:
            if name in sys.modules:
                # Waits for another thread that is just importing it.
                module = self._guarded("import a module", import_module, name)
                if module is not None:
                    self._imported(name, module)

    def remove(self) -> None:
        """Put back all classes and functions, and unwrap the clients that live."""
        self._active = False
        self._hook.remove()
        for undo in reversed(self._undo):
            self._guarded("undo", undo)
        self._undo.clear()
        if self._meter is not None:
            from costspan.middleware.automatic import IdleMeter

            idle = IdleMeter()
            self._source = lambda: idle
        for client in list(self._clients.values()):
            self._guarded("unwrap a client", self._detach, client)

    def _guarded(self, step: str, function: Callable[..., Any], *args: Any) -> Any:
        if self.guard is None:
            from costspan.middleware.guard import Guard

            self.guard = Guard()
        return self.guard.run(f"instrument: {step}", function, *args)

    def _imported(self, name: str, module: ModuleType) -> None:
        # No lock: it would be taken inside the import system's. What two threads follow twice is
        # watched once, for a client is attached to once.
        if self._active:
            self._guarded(f"follow {name}", self._follow, name, module)

    def _follow(self, name: str, module: ModuleType) -> None:
        """Follow what there is; each thing on its own."""
        followed = FOLLOWED[name]
        found = False
        for names, follow in (
            (followed.classes, self._follow_class),
            (followed.makers, self._follow_maker),
            (followed.functions, self._follow_function),
        ):
            for each in names:
                step = f"follow {name}.{each}"
                if self._guarded(step, hasattr, module, each.partition(".")[0]):
                    found = True
                    self._guarded(step, follow, module, each)
        if not found:
            raise AttributeError(f"{name} has nothing that is known: calls of it are not recorded")

    def _follow_class(self, module: ModuleType, name: str) -> None:
        kind = getattr(module, name)
        initialise = kind.__init__
        making = self._making

        @functools.wraps(initialise)
        def followed(client: Any, *args: Any, **kwargs: Any) -> None:
            being_made: set[int] = making.__dict__.setdefault("ids", set())
            if id(client) in being_made:  # a subclass that is followed itself calls its base
                initialise(client, *args, **kwargs)
                return
            being_made.add(id(client))
            try:
                initialise(client, *args, **kwargs)
            finally:
                being_made.discard(id(client))
            self._guarded("watch a client", self._attach, client)

        self._replace(kind, "__init__", followed)

    def _follow_maker(self, module: ModuleType, name: str) -> None:
        owner, _, method = name.partition(".")
        kind = getattr(module, owner)
        make = getattr(kind, method)

        @functools.wraps(make)
        def followed(*args: Any, **kwargs: Any) -> Any:
            client = make(*args, **kwargs)
            self._guarded("watch a client", self._attach, client)
            return client

        self._replace(kind, method, followed)

    def _follow_function(self, module: ModuleType, name: str) -> None:
        from costspan.middleware.automatic import note
        from costspan.middleware.wrap import wrap

        function = getattr(module, name)
        watched = wrap(function, self._meter_in_force())
        if watched is not function:
            note(watched)
            self._replace(module, name, watched)

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute of a class or module, unless this was done before."""
        former = vars(owner).get(name, _MISSING)
        if getattr(former, "__costspan_followed__", None) is self:
            return
        value.__costspan_followed__ = self
        # The metaclass of a class (litellm's Router has one) is not asked: it would import more.
        put, take = (
            (type.__setattr__, type.__delattr__) if isinstance(owner, type) else (setattr, delattr)
        )
        put(owner, name, value)

        def undo() -> None:
            if vars(owner).get(name) is not value:
                return  # somebody has replaced it after us: what is ours in it lets all pass
            if former is _MISSING:
                take(owner, name)
            else:
                put(owner, name, former)

        self._undo.append(undo)

    def _meter_in_force(self) -> AutomaticMeter:
        if self._meter is None:
            from costspan.middleware.automatic import AutomaticMeter

            self._meter = AutomaticMeter(lambda: self._source())
        return self._meter

    def _attach(self, client: Any) -> None:
        if not self._active:
            return
        from costspan.middleware.adapters import adapter_of
        from costspan.middleware.automatic import note

        adapter = adapter_of(client)
        if adapter is not None and not adapter.is_attached(client):
            adapter.attach(client, self._meter_in_force())
            self._clients[id(client)] = client
            note(client)

    def _detach(self, client: Any) -> None:
        from costspan.middleware.adapters import adapter_of
        from costspan.middleware.automatic import gives_way

        adapter = adapter_of(client)
        if adapter is not None and gives_way(client, self._source) and adapter.is_attached(client):
            adapter.detach(client)
