"""How a request was served, as far as price depends on it: tier, place, deployment and speed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from costspan.core.naming import canonical_tier
from costspan.core.types import Served
from costspan.pricing.matching import bedrock_profile
from costspan.pricing.rows import FOLDER, read_all

Context = Mapping[str, object]


class Situation(NamedTuple):
    """The attributes that select rows and multipliers; None where nothing is known.

    Attributes:
        tier: The service tier to bill: the one served, else the one asked for.
        region: Processing region or geography, ``global`` if that was said.
        deployment: Kind of deployment (``global``, ``datazone-eu``, ``fedramp``).
        speed: Speed class (``fast``).
        free: Whether the account's free tier paid for it.
    """

    tier: str | None = None
    region: str | None = None
    deployment: str | None = None
    speed: str | None = None
    free: bool = False


def situation(provider: str, model: str, served: Served, context: Context | None) -> Situation:
    """Put together what the response says and what only the caller knows.

    Args:
        provider: Canonical provider id.
        model: The model as requested: a Bedrock profile stands in its name.
        served: What the response says; it wins over what was asked for, but for ``batch``.
        context: What the caller knows: ``batch``, ``requested_service_tier``, ``region`` (also
            ``data_residency``, ``regional_endpoint``, ``inference_geo``, ``vertex_location``),
            ``deployment`` (also ``azure_deployment``), ``api_base``, ``speed``, ``free_tier``.
    """
    deployment, region = served.deployment, served.region
    if provider == "aws" and bedrock_profile(model) == "global":
        deployment = "global"
    if provider == "vertex" and region is None and (found := _LOCATION.search(model)):
        region = found[1].lower()
    if not context:
        return Situation(served.tier, region, deployment, served.speed)
    tier, paid_as = served.tier, _tier_of_deployment(context)
    if context.get("batch") is True:
        tier = "batch"
    elif paid_as is not None:
        tier = paid_as
    elif tier is None:
        asked = _said(context, "requested_service_tier", "service_tier")
        tier = canonical_tier(asked) if asked else None
    deployment = deployment or _deployment(context)
    return Situation(
        tier=tier,
        region=region or _region(provider, context),
        deployment=deployment,
        speed=served.speed or _said(context, "speed"),
        free=context.get("free_tier") is True or tier == "free",
    )


_LOCATION = re.compile(r"locations/([a-z0-9-]+)/", re.IGNORECASE)
_REGION_KEYS = (
    "region",
    "data_residency",
    "regional_endpoint",
    "inference_geo",
    "vertex_location",
)


def _said(context: Context, *keys: str) -> str | None:
    for key in keys:
        value = context.get(key)
        if isinstance(value, str) and value:
            return value.lower()
    return None


def _region(provider: str, context: Context) -> str | None:
    """Read where it was processed, as the caller says or else as the host promises."""
    said = _said(context, *_REGION_KEYS)
    if said is not None:  # xAI prices by the country of us-east-1
        return said.partition("-")[0] if provider == "x-ai" else said
    base = _said(context, "api_base", "endpoint")
    if base is None:
        return None
    return region_of_host(provider, re.sub(r"^[a-z]+://", "", base).partition("/")[0])


def _deployment(context: Context) -> str | None:
    """Read the deployment; Azure's SKU names become the catalogue's (``DataZoneStandard``)."""
    said = _said(context, *_DEPLOYMENT_KEYS)
    if said is None or not said.startswith("datazone") or "-" in said:
        return said
    place = _said(context, "azure_region", "region") or ""
    if place.startswith(_EUROPE) or "europe" in place:
        return "datazone-eu"
    return "datazone-apac" if place.startswith(_ASIA) or "asia" in place else "datazone-us"


def _tier_of_deployment(context: Context) -> str | None:
    """Read how a deployment is paid for, where its name says so (``GlobalBatch``)."""
    said = _said(context, *_DEPLOYMENT_KEYS)
    if said is None:
        return None
    if said in ("globalbatch", "datazonebatch"):
        return "batch"
    return "provisioned" if canonical_tier(said) == "provisioned" else None


_DEPLOYMENT_KEYS = ("deployment", "azure_deployment")
_EUROPE = (
    "eu", "austria", "belgium", "denmark", "finland", "france", "germany", "greece", "italy",
    "poland", "spain", "sweden",
)  # fmt: skip
_ASIA = ("ap", "australia", "india", "japan", "korea", "newzealand")
"""Beginnings of the Azure regions in the European and the Asian data zone."""


@lru_cache(maxsize=256)
def region_of_host(provider: str, host: str) -> str | None:
    """Give the region whose processing a provider's host name promises.

    Args:
        provider: Canonical provider id.
        host: The host that a request goes to, perhaps with a port.

    Returns:
        The region (``eu``, ``us-east5``); None where the host promises none.
    """
    for pattern in _hosts().get(provider, ()):
        found = pattern.fullmatch(host.lower().partition(":")[0])
        if found:
            return found["region"]
    return None


@cache
def _hosts() -> dict[str, list[re.Pattern[str]]]:
    table: dict[str, list[re.Pattern[str]]] = {}
    for row in read_all(FOLDER / "hosts.csv"):
        table.setdefault(row["provider"], []).append(re.compile(row["host"]))
    return table
