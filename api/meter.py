"""The Meter as users make it: configured by arguments or by the file, with real exporters."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from costspan import __version__
from costspan.catalogue_in_force import catalogue_in_force
from costspan.middleware import meter as middleware
from costspan.middleware.config import EXPORTERS, SYNCS, Config, load

if TYPE_CHECKING:
    from costspan.core.endpoint import Endpoint
    from costspan.middleware.record import Exporter
    from costspan.pricing.catalogue import Catalogue


class Meter(middleware.Meter):
    """Estimates, watches, prices and records calls. Make one and hand it to ``wrap``.

    Args:
        home: The ledger's folder; by default ``COSTSPAN_HOME`` or the platform's user data folder.
        exporters: Where finished calls go: ``"ledger"``, ``"otel"``, ``"jsonlines"`` (lines on the
            standard output, docs/serverless.md) or exporter objects.
        tags: Tags that every call carries.
        hashed_tags: Names of tags whose values are replaced by keyed hashes before anything is
            recorded; the key is in ``COSTSPAN_HASH_KEY`` (docs/privacy.md).
        aliases: Model name as called -> ``provider/model`` whose prices apply: an Azure
            deployment, a gateway's own name, a local model priced as if it were a paid one.
        billing_mode: ``metered``, or ``plan`` for calls that a flat subscription pays.
        prices: A TOML file with prices of your own: negotiated rates, discounts, self-hosted
            models (docs/prices.md).
        sync: When the ledger's records are safe from a power failure: ``interval``, a fifth of a
            second later, or ``always``, before the call returns (it costs a sync of the disk).
        spool_limit_mb: How large the ledger's spool may get; then records are refused and counted.
        hooks: Objects with any of the methods ``on_start``, ``on_first_token``, ``on_end`` and
            ``on_error``, each told of every call (docs/hooks.md).
        include_usage: Ask OpenAI-shaped servers for the usage of streams where your code does not,
            and hide the extra chunk from it.
        native_spans: Keep the spans that an SDK makes by itself (anthropic 2) beside ours.
        endpoints: Servers of your own for `costspan.completion`, by the name before the slash.
        catalogue: The prices, if they are not the bundled ones with those of ``prices``.

    Raises:
        ValueError: An argument that cannot be used; the text says what is allowed.

    Example:
        >>> import costspan
        >>> meter = costspan.Meter(exporters=[costspan.InMemoryExporter()], tags={"team": "search"})
    """

    def __init__(
        self,
        *,
        home: str | os.PathLike[str] | None = None,
        exporters: Iterable[str | Exporter] = ("ledger", "otel"),
        tags: Mapping[str, object] | None = None,
        hashed_tags: Collection[str] = (),
        aliases: Mapping[str, str] | None = None,
        billing_mode: str = "metered",
        prices: str | os.PathLike[str] | None = None,
        sync: str = "interval",
        spool_limit_mb: int = 1024,
        hooks: Iterable[object] = (),
        include_usage: bool = False,
        native_spans: bool = False,
        endpoints: Mapping[str, Endpoint] | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        if isinstance(exporters, str) or not isinstance(exporters, Iterable):
            raise ValueError(f"exporters {exporters!r}: give a list of them")
        super().__init__(
            exporters=[
                _ledger(home, sync, spool_limit_mb) if item == "ledger" else _exporter(item)
                for item in exporters
            ],
            catalogue=catalogue or catalogue_in_force(home, prices),
            tags=tags,
            hashed_tags=hashed_tags,
            aliases=aliases,
            billing_mode=billing_mode,
            hooks=hooks,
            include_usage=include_usage,
            native_spans=native_spans,
        )
        self.endpoints = dict(endpoints or {})

    @classmethod
    def from_config(cls, config: Config | None = None) -> Meter:
        """A Meter as the configuration in force says.

        Raises:
            ConfigError: The configuration file cannot be used.
        """
        found = load() if config is None else config
        return cls(
            home=found.home,
            exporters=found.exporters,
            tags=found.tags,
            hashed_tags=found.hashed_tags,
            aliases=found.aliases,
            billing_mode=found.billing_mode,
            prices=found.prices,
            sync=found.sync,
            spool_limit_mb=found.spool_limit_mb,
            include_usage=found.include_usage,
            native_spans=found.native_spans,
            endpoints=found.endpoints,
        )


def _ledger(home: str | os.PathLike[str] | None, sync: str, spool_limit_mb: int) -> Exporter:
    from costspan.exporters.home import resolve_home
    from costspan.exporters.ledger.exporter import LedgerExporter

    if sync not in SYNCS:
        raise ValueError(f"sync {sync!r}: allowed are {', '.join(SYNCS)}")
    if spool_limit_mb < 1:
        raise ValueError(f"spool_limit_mb {spool_limit_mb!r}: at least 1")
    return LedgerExporter(
        resolve_home(home),
        sdk_version=__version__,
        sync="always" if sync == "always" else "interval",
        limit_bytes=spool_limit_mb << 20,
    )


def _exporter(item: str | Exporter) -> Exporter:
    if item == "otel":
        from costspan.exporters.otel import OTelExporter

        return OTelExporter()
    if item == "jsonlines":
        from costspan.exporters.jsonlines import JsonLinesExporter

        return JsonLinesExporter(sdk_version=__version__)
    if isinstance(item, str) or not callable(getattr(item, "finish", None)):
        raise ValueError(
            f"exporter {item!r}: allowed are {', '.join(EXPORTERS)} and exporter objects"
        )
    return item


_lock = threading.Lock()
_default: middleware.Meter | None = None


def made_meter() -> middleware.Meter | None:
    """The default Meter if it has been made already."""
    return _default


def default_meter() -> middleware.Meter:
    """The Meter that is used where none is given, made from the configuration when first needed.

    Raises:
        ConfigError: The configuration file cannot be used.
    """
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Meter.from_config()
    return _default


def set_default_meter(meter: middleware.Meter | None) -> middleware.Meter | None:
    """Replace the default Meter; None makes it anew from the configuration when next needed.

    Returns:
        The one that was in force, None if none had been made.
    """
    global _default
    previous, _default = _default, meter
    return previous
