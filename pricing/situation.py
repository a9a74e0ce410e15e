"""How a request was served, as far as price depends on it: tier, place, deployment and speed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
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
    deployment = served.deployment
    if provider == "aws" and bedrock_profile(model) == "global":
        deployment = "global"
    if not context:
        return Situation(served.tier, served.region, deployment, served.speed)
    tier = served.tier
    if context.get("batch") is True:
        tier = "batch"
    elif tier is None:
        asked = _said(context, "requested_service_tier", "service_tier")
        tier = canonical_tier(asked) if asked else None
    region = served.region or _said(context, *_REGION_KEYS) or _host_region(provider, context)
    deployment = deployment or _deployment(context)
    return Situation(
        tier=tier,
        region=region,
        deployment=deployment,
        speed=served.speed or _said(context, "speed"),
        free=context.get("free_tier") is True or tier == "free",
    )


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


def _deployment(context: Context) -> str | None:
    """Read the deployment; Azure's SKU names become the catalogue's (``DataZoneStandard``)."""
    said = _said(context, "deployment", "azure_deployment")
    if said is None or not said.startswith("datazone") or "-" in said:
        return said
    place = _said(context, "azure_region", "region") or ""
    return "datazone-eu" if place.startswith(_EUROPE) or "europe" in place else "datazone-us"


_EUROPE = ("eu", "sweden", "france", "germany", "italy", "poland", "spain")


def _host_region(provider: str, context: Context) -> str | None:
    base = _said(context, "api_base", "endpoint")
    if base is None:
        return None
    host = re.sub(r"^[a-z]+://", "", base).partition("/")[0].partition(":")[0]
    for pattern in _hosts().get(provider, ()):
        found = pattern.fullmatch(host)
        if found:
            return found["region"]
    return None


@cache
def _hosts() -> dict[str, list[re.Pattern[str]]]:
    table: dict[str, list[re.Pattern[str]]] = {}
    for row in read_all(FOLDER / "hosts.csv"):
        table.setdefault(row["provider"], []).append(re.compile(row["host"]))
    return table
