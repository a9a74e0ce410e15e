"""The Meter: what the user configures once, and the way of every call."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from costspan.core.naming import canonical_api, canonical_provider
from costspan.middleware.aliases import Alias, check_aliases, parse_aliases
from costspan.middleware.deferring import Deferring
from costspan.middleware.drainer import Drainer
from costspan.middleware.guard import Guard
from costspan.middleware.hashing import tag_hasher
from costspan.middleware.hooks import Hooks
from costspan.middleware.ids import CallIds
from costspan.middleware.last import note_begun
from costspan.middleware.lifecycle import follow_process
from costspan.middleware.live import Ending, LiveCall
from costspan.middleware.record import Activating, Exporter, Starting
from costspan.middleware.request import AskedCall, RequestReader, from_arguments
from costspan.middleware.running import running_call
from costspan.middleware.settle import settle
from costspan.middleware.tags import check_tags, current_tags
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.estimate import estimate_request
from costspan.pricing.families import vocabulary_of
from costspan.pricing.types import Estimate
from costspan.pricing.vocabulary import load_in_background

MeterSource: TypeAlias = "Callable[[], Meter]"
"""Gives the Meter when a call is made, so that a test can change the default one in between."""


class Meter:
    """Estimates, watches, prices and emits calls.

    Args:
        exporters: Where finished calls go, in order.
        catalogue: The prices; the bundled catalogue by default, loaded at the first call.
        tags: Tags that every call carries; tags of the context override them.
        hashed_tags: Names of tags whose values are replaced by keyed hashes before any exporter
            sees them; the key is in the environment variable ``COSTSPAN_HASH_KEY``.
        aliases: Model name as called -> ``provider/model`` whose prices apply: an Azure
            deployment, a gateway's own name, a local model priced as if it were a paid one.
        billing_mode: ``metered``, or ``plan`` for calls that a flat subscription pays.
        hooks: Objects that are told how each call goes, see `middleware.hooks.Hooks`.
        include_usage: Ask OpenAI-shaped servers for the usage of streams, and hide the extra chunk.
        native_spans: Keep the spans that an SDK makes by itself beside ours.
        clock: Wall clock in nanoseconds since the epoch; for tests.

    Raises:
        TagError: A tag that cannot be stored.
        ValueError: An alias that does not name ``provider/model``, an unknown billing mode, a
            hook that cannot be called, or tags to be hashed without a key.
    """

    def __init__(
        self,
        *,
        exporters: Iterable[Exporter] = (),
        catalogue: Catalogue | None = None,
        tags: Mapping[str, object] | None = None,
        hashed_tags: Collection[str] = (),
        aliases: Mapping[str, str] | None = None,
        billing_mode: str = "metered",
        hooks: Iterable[object] = (),
        include_usage: bool = False,
        native_spans: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        if billing_mode not in ("metered", "plan"):
            raise ValueError(f"billing_mode {billing_mode!r}: allowed are 'metered' and 'plan'")
        self.exporters: tuple[Exporter, ...] = tuple(exporters)
        self.protect_tags: Callable[[Mapping[str, str]], Mapping[str, str]] | None
        self.protect_tags = tag_hasher(hashed_tags)
        self.tags: Mapping[str, str] = check_tags(tags or {})
        if self.protect_tags is not None:
            self.tags = self.protect_tags(self.tags)
        self.aliases: Mapping[str, Alias] = parse_aliases(aliases or {})
        self.billing_mode = billing_mode
        self.include_usage = include_usage
        self.native_spans = native_spans
        self.clock = clock
        self.guard = Guard()
        self.hooks = Hooks(hooks, self.guard)
        self.ids = CallIds()
        self._catalogue = catalogue
        self._finishing = (*self.exporters, self.hooks) if self.hooks else self.exporters
        self._starting = [e for e in self._finishing if isinstance(e, Starting)]
        self._attaching = [e for e in self.exporters if isinstance(e, Activating)]
        self._deferring = Deferring()
        self._streams: weakref.WeakSet[LiveCall] = weakref.WeakSet()
        self._warm: set[str] = set()
        self._drainer = Drainer(self)
        check_aliases(self.aliases, self.catalogue, self.now()) if self.aliases else None
        follow_process(self)

    @property
    def catalogue(self) -> Catalogue:
        """The prices in force."""
        if self._catalogue is None:
            self._catalogue = Catalogue.default()
        return self._catalogue

    # The way of one call: begin -> (attach -> the user's own call -> detach) -> finish.

    def begin(
        self, read: RequestReader, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> LiveCall | None:
        """Start a call: what is asked for, id, tags, estimate, the exporters' start.

        Args:
            read: Reads what is asked for.
            args, kwargs: The arguments of the user's call.

        Returns:
            The call; None if it is not to be recorded, or if we failed at it.
        """
        return self.guard.run("start of a call", self._begin, read, args, kwargs)

    def _begin(
        self, read: RequestReader, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> LiveCall | None:
        asked = read(args, kwargs)
        if asked is None:
            return None
        if self._deferring.waiting:
            self.drain()
        outer = running_call()
        call = LiveCall(self, asked, self.tags_of(asked), outer)
        call.estimate = self.guard.run("estimate", self._estimate, call)
        call.is_told = not self.hooks.are_running
        if outer is None:
            call.slot = note_begun()
            self.start(call)
        return call

    def tags_of(self, asked: AskedCall) -> Mapping[str, str]:
        """The tags of a call that begins here: its own, the context's, the Meter's."""
        tags = {**current_tags(), **asked.tags} if asked.tags else current_tags()
        if tags and self.protect_tags is not None:
            tags = self.protect_tags(tags)
        return {**self.tags, **tags} if tags else self.tags

    def start(self, call: LiveCall) -> None:
        """Tell the exporters that a call begins, unless we are inside one on this thread."""
        if self._deferring.enter():
            try:
                for exporter in self._starting:
                    self.guard.run("exporter start", exporter.start, call)
            finally:
                self._deferring.leave()

    def _estimate(self, call: LiveCall) -> Estimate:
        return self._estimate_of(call.asked, at=call.started_at, wait=False)

    def _estimate_of(self, asked: AskedCall, *, at: datetime, wait: bool) -> Estimate:
        alias = self.aliases.get(asked.model)
        return estimate_request(
            asked.body,
            provider=alias.provider if alias else asked.provider,
            model=alias.model if alias else asked.model,
            api=asked.api,
            catalogue=self.catalogue,
            at=at,
            wait=wait,
        )

    def estimate(
        self, body: Mapping[str, Any], *, provider: str | None = None, api: str | None = None
    ) -> Estimate:
        """Say what a request would use and cost; loads the vocabulary if need be. No network.

        Args:
            body: The request: ``model``, ``messages``, ``max_tokens`` ..., as for the call.
            provider: Canonical provider, where the model's name does not tell it.
            api: Canonical api, by default the one that the body and the provider tell.
        """
        asked = from_arguments(body)
        asked = asked._replace(
            provider=canonical_provider(provider) if provider else asked.provider,
            api=canonical_api(api) if api else asked.api,
        )
        return self._estimate_of(asked, at=self.now(), wait=True)

    def now(self) -> datetime:
        """The present instant by its clock."""
        return datetime.fromtimestamp(self.clock() / 1e9, UTC)

    def attach(self, call: LiveCall) -> list[tuple[Activating, object]]:
        """Make the exporters' spans current while the user's call runs."""
        if call.trace_id is None:
            return []
        return [(e, self.guard.run("attach", e.attach, call)) for e in self._attaching]

    def detach(self, tokens: list[tuple[Activating, object]]) -> None:
        """Undo `attach`, in the same context."""
        for exporter, token in reversed(tokens):
            self.guard.run("detach", exporter.detach, token)

    @property
    def makes_spans(self) -> bool:
        """Whether an exporter makes spans of calls."""
        return bool(self._attaching)

    @property
    def hears_first_token(self) -> bool:
        """Whether anybody is to be told of first chunks."""
        return self.hooks.hears_first_token

    def first_chunk(self, call: LiveCall) -> None:
        """Tell the hooks that the first chunk of a stream has come."""
        if call.outer is None and call.is_told:
            self.guard.run("hooks", self.hooks.first_chunk, call)

    def keep_open(self, call: LiveCall) -> None:
        """Remember a call whose stream outlives the function, to end it at interpreter exit."""
        self._streams.add(call)
        self._drainer.ensure()

    def finish(self, call: LiveCall, ending: Ending) -> None:
        """Settle and emit an ended call, or put it off if this thread is inside us already.

        It is inside us already when a signal handler or a finaliser of the user runs a wrapped
        call while we hold a lock of the ledger or the SDK on the same thread.
        """
        if not self._deferring.enter():
            self._deferring.waiting.append((call, ending))
            return
        try:
            self.guard.run("settle", self._finish, call, ending)
        finally:
            self._deferring.leave()
        if self._deferring.waiting:
            self.drain()

    def _finish(self, call: LiveCall, ending: Ending) -> None:
        record = settle(
            call,
            ending,
            catalogue=self.catalogue,
            aliases=self.aliases,
            billing_mode=self.billing_mode,
        )
        call.record = record
        if call.join(record):
            return
        if call.outer is not None:  # it was to be part of a call that has ended before it
            for starting in self._starting:
                self.guard.run("exporter start", starting.start, call)
        if call.slot is not None:
            call.slot.append(record)
        for exporter in self._finishing if call.is_told else self.exporters:
            self.guard.run(f"exporter {type(exporter).__name__}", exporter.finish, record)
        vocabulary = vocabulary_of(call.asked.model)
        # Not while Ctrl-C ends the program: an import would make Python forget what ended it.
        if vocabulary not in self._warm and ending.ended_by not in ("cancelled", "exit"):
            self._warm.add(vocabulary)
            load_in_background(vocabulary)

    def defer(self, call: LiveCall, ending: Ending) -> None:
        """Put off the settling of a call that ended in a finaliser. Takes no lock."""
        self._deferring.waiting.append((call, ending))

    def drain(self, wait_s: float = 0.0) -> None:
        """Settle what was put off.

        Args:
            wait_s: How long to wait, in seconds, for another thread that is at it.
        """
        self._deferring.drain(self.finish, wait_s)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Settle what was put off and push out what exporters hold.

        Returns:
            Whether everything went out within ``timeout_s`` seconds for each exporter.
        """
        self.drain(wait_s=timeout_s)
        flushes = [e.flush for e in self.exporters if hasattr(e, "flush")]
        done = [self.guard.run("flush", flush, timeout_s) for flush in flushes]
        return all(result is True for result in done)

    def close(self) -> None:
        """End what is still open (streams never read to their end), flush and close exporters."""
        for call in list(self._streams):
            call.end("exit")
        self.flush(timeout_s=2.0)
        for exporter in self.exporters:
            if hasattr(exporter, "close"):
                self.guard.run("close", exporter.close)

    def forget(self) -> None:
        """Drop what belongs to the parent process; called in a forked child."""
        self._deferring.forget()
        self._streams = weakref.WeakSet()
