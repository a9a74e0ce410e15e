"""Configuration: one TOML file with the same keys as ``Meter(...)``, and what is in force."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from costspan.core.endpoint import Endpoint
from costspan.core.own_endpoints import own_endpoints
from costspan.middleware.tags import TagError, check_tags, parse_tags

EXPORTERS = ("ledger", "otel", "jsonlines")
BILLING_MODES = ("metered", "plan")
SYNCS = ("interval", "always")
DEFAULTS: Mapping[str, Any] = {
    "home": None,
    "exporters": ["ledger", "otel"],
    "tags": {},
    "hashed_tags": [],
    "aliases": {},
    "billing_mode": "metered",
    "prices": None,
    "sync": "interval",
    "spool_limit_mb": 1024,
    "endpoints": {},
    "include_usage": False,
    "native_spans": False,
}
_SWITCHES = ("include_usage", "native_spans")


class ConfigError(ValueError):
    """A configuration that cannot be used; its text names the file, the key and what is allowed."""


@dataclass(frozen=True, slots=True)
class Config:
    """What is in force, and where each value came from.

    Attributes:
        home: The ledger's folder as named by the user, or None for the platform's default.
        exporters: Where finished calls go: ``ledger``, ``otel``, ``jsonlines``.
        tags: Tags that every call carries.
        hashed_tags: Names of tags whose values are replaced by keyed hashes.
        aliases: Model name as called -> ``provider/model`` whose prices apply (an Azure
            deployment, a gateway's name, a local model priced as if it were a paid one).
        billing_mode: ``metered``, or ``plan`` where a flat subscription pays.
        prices: The file of the user's own prices, if there is one.
        sync: When records are safe from a power failure: ``interval``, a fifth of a second later,
            or ``always``, before the call returns.
        spool_limit_mb: How large the spool may get; then records are refused and counted.
        endpoints: Servers of the user's own for `costspan.completion`, by the name before the
            slash.
        include_usage: Whether OpenAI-shaped servers are asked for the usage of streams.
        native_spans: Whether the spans that an SDK makes by itself are kept beside ours.
        file: The file that was read, if any.
        sources: Key -> where its value came from.
    """

    home: str | None = None
    exporters: tuple[str, ...] = ("ledger", "otel")
    tags: Mapping[str, str] = field(default_factory=dict)
    hashed_tags: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    billing_mode: str = "metered"
    prices: Path | None = None
    sync: str = "interval"
    spool_limit_mb: int = 1024
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    include_usage: bool = False
    native_spans: bool = False
    file: Path | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[tuple[str, str, str]]:
        """Each key, its value as text and where it came from, for people to read."""
        values = {
            "home": self.home or "(platform default)",
            "exporters": ", ".join(self.exporters) or "(none)",
            "tags": _pairs(self.tags),
            "hashed_tags": ", ".join(self.hashed_tags) or "(none)",
            "aliases": _pairs(self.aliases),
            "billing_mode": self.billing_mode,
            "prices": str(self.prices or "(none of your own)"),
            "sync": self.sync,
            "spool_limit_mb": str(self.spool_limit_mb),
            "endpoints": _pairs({name: e.base_url or "" for name, e in self.endpoints.items()}),
            "include_usage": str(self.include_usage).lower(),
            "native_spans": str(self.native_spans).lower(),
        }
        return [(key, value, self.sources.get(key, "default")) for key, value in values.items()]


def load(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Config:
    """Read the configuration in force.

    The file is ``COSTSPAN_CONFIG``, else ``./costspan.toml``, else ``costspan.toml`` in
    ``COSTSPAN_HOME``. ``COSTSPAN_HOME`` and ``COSTSPAN_PRICES`` override the file's ``home`` and
    ``prices``, ``COSTSPAN_TAGS`` (``team=search,env=prod``) adds to its ``tags``. A relative
    ``prices`` in the file starts at the file's folder.

    Args:
        environ: Environment variables, ``os.environ`` by default.
        cwd: Folder to look in, the current one by default.

    Raises:
        ConfigError: A file that is named but missing, is no TOML, or holds a wrong key or value.
    """
    env = os.environ if environ is None else environ
    file = _find(env, cwd or Path())
    raw = _read(file) if file else {}
    values = {**DEFAULTS, **raw}
    sources = {key: str(file) for key in raw}
    if env.get("COSTSPAN_HOME"):
        values["home"] = env["COSTSPAN_HOME"]
        sources["home"] = "COSTSPAN_HOME"
    if file and values["prices"]:
        values["prices"] = file.parent / Path(values["prices"]).expanduser()
    if env.get("COSTSPAN_PRICES"):
        values["prices"] = (cwd or Path()) / Path(env["COSTSPAN_PRICES"]).expanduser()
        sources["prices"] = "COSTSPAN_PRICES"
    if env.get("COSTSPAN_TAGS"):
        values["tags"] = {**values["tags"], **_tags_of(env["COSTSPAN_TAGS"])}
        sources["tags"] = f"{file} and COSTSPAN_TAGS" if "tags" in raw else "COSTSPAN_TAGS"
    return Config(
        home=values["home"],
        exporters=tuple(values["exporters"]),
        tags=values["tags"],
        hashed_tags=tuple(values["hashed_tags"]),
        aliases=values["aliases"],
        billing_mode=values["billing_mode"],
        prices=values["prices"],
        sync=values["sync"],
        spool_limit_mb=values["spool_limit_mb"],
        endpoints=own_endpoints(values["endpoints"]) if values["endpoints"] else {},
        include_usage=values["include_usage"],
        native_spans=values["native_spans"],
        file=file,
        sources=sources,
    )


def _tags_of(text: str) -> dict[str, str]:
    try:
        return parse_tags(text)
    except TagError as error:
        raise ConfigError(f"COSTSPAN_TAGS: {error}") from error


def _find(env: Mapping[str, str], cwd: Path) -> Path | None:
    named = env.get("COSTSPAN_CONFIG")
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"COSTSPAN_CONFIG names {named}, which is no file: mend or unset it")
        return path
    candidates = [cwd / "costspan.toml"]
    if env.get("COSTSPAN_HOME"):
        candidates.append(Path(env["COSTSPAN_HOME"]).expanduser() / "costspan.toml")
    return next((path for path in candidates if path.is_file()), None)


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read as TOML: {error}") from error
    for key, value in raw.items():
        _check(file, key, value)
    return raw


def _check(file: Path, key: str, value: object) -> None:
    if key not in DEFAULTS:
        raise ConfigError(f"{file}: unknown key {key!r}; allowed: {', '.join(DEFAULTS)}")
    if key == "home" and not isinstance(value, str):
        raise ConfigError(f"{file}: home = {value!r}: give a folder as text")
    if key == "prices" and not (isinstance(value, str) and value):
        raise ConfigError(f"{file}: prices = {value!r}: give the name of a TOML file as text")
    if key == "exporters" and not (
        isinstance(value, list) and all(name in EXPORTERS for name in value)
    ):
        raise ConfigError(f"{file}: exporters = {value!r}: a list of {', '.join(EXPORTERS)}")
    if key == "billing_mode" and value not in BILLING_MODES:
        raise ConfigError(f"{file}: billing_mode = {value!r}: one of {', '.join(BILLING_MODES)}")
    if key == "sync" and value not in SYNCS:
        raise ConfigError(f"{file}: sync = {value!r}: one of {', '.join(SYNCS)}")
    if key == "spool_limit_mb" and not (type(value) is int and value > 0):
        raise ConfigError(f"{file}: spool_limit_mb = {value!r}: a whole number of megabytes")
    if key in _SWITCHES and not isinstance(value, bool):
        raise ConfigError(f"{file}: {key} = {value!r}: true or false")
    if key == "endpoints":
        _check_endpoints(file, value)
    if key == "aliases":
        _check_aliases(file, value)
    if key == "hashed_tags" and not (
        isinstance(value, list) and all(isinstance(name, str) and name for name in value)
    ):
        raise ConfigError(f"{file}: hashed_tags = {value!r}: a list of names of tags")
    if key == "tags":
        if not isinstance(value, dict):
            raise ConfigError(f"{file}: tags = {value!r}: a table of names and texts")
        try:
            check_tags(value)
        except TagError as error:
            raise ConfigError(f"{file}: tags: {error}") from error


def _check_endpoints(file: Path, value: object) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: endpoints = {value!r}: a table for each server")
    try:
        own_endpoints(value)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from error


def _check_aliases(file: Path, value: object) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{file}: aliases = {value!r}: a table of model names")
    for name, target in value.items():
        if not isinstance(target, str) or "/" not in target.strip("/"):
            raise ConfigError(
                f"{file}: aliases.{name} = {target!r}: give provider/model, "
                "for instance openai/gpt-4o"
            )


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items()) or "(none)"
