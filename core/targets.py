"""The models that a completion may ask, each with what of the arguments holds for it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from costspan.core.endpoint import Endpoint
from costspan.core.endpoints import row_name_of
from costspan.core.errors import BadRequestError
from costspan.core.keyring import ApiKey
from costspan.core.params import checked_params

_SETTINGS = {
    "region": "region",
    "aws_region_name": "region",
    "vertex_location": "region",
    "project": "project",
    "vertex_project": "project",
    "api_version": "api_version",
}
"""Argument -> setting of an endpoint's address; the longer names are LiteLLM's."""


@dataclass(frozen=True, slots=True)
class Target:
    """One model, with what of the arguments holds for it and its provider alone.

    Attributes:
        model: The name as the caller wrote it.
        api_key, base_url, api, settings, extra_body, extra_headers: See `completion`.
        params: Parameters that this model gets instead of the ones for all.
    """

    model: str
    api_key: ApiKey | None = field(default=None, repr=False)
    base_url: str | None = None
    api: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    extra_body: Mapping[str, object] = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, object] = field(default_factory=dict)


def target_of(model: object, arguments: dict[str, Any]) -> tuple[Target, dict[str, Any]]:
    """Part the arguments that hold for one model from the parameters."""
    if not isinstance(model, str) or not model:
        raise BadRequestError("model must be a name, as in openai/gpt-4o")
    base_url, api_base = arguments.pop("base_url", None), arguments.pop("api_base", None)
    if base_url and api_base and base_url != api_base:
        raise BadRequestError("base_url and api_base are one argument: give one of them")
    if "" in (base_url, api_base):
        raise BadRequestError("base_url is empty: leave it out, or say which server is meant")
    if not isinstance(base_url or api_base or "", str):
        raise BadRequestError("base_url must be a text, as in https://llm.example.com/v1")
    settings: dict[str, str] = {}
    if not _SETTINGS.keys().isdisjoint(arguments):
        told = ((setting, arguments.pop(name, None)) for name, setting in _SETTINGS.items())
        settings = {setting: value for setting, value in told if value is not None}
    target = Target(
        model,
        arguments.pop("api_key", None),
        base_url or api_base,
        arguments.pop("api", None),
        settings,
        _mapping("extra_body", arguments.pop("extra_body", None)),
        _headers(arguments.pop("extra_headers", None)),
    )
    return target, arguments


def _mapping(name: str, given: object) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise BadRequestError(f"{name} must be a mapping, as in {{'name': ...}}")
    return given or {}


def _headers(given: object) -> Mapping[str, str]:
    """Headers that can be sent: the HTTP library would quote the others, keys too, in its error."""
    headers = _mapping("extra_headers", given)
    for name, value in headers.items():
        for each in (name, value):
            sound = isinstance(each, str) and each.isascii() and each == each.strip()
            if not sound or not each.replace("\t", " ").isprintable():
                raise BadRequestError(
                    f"extra_headers: {name!r} and its value must be texts of printable ASCII "
                    "characters, without line breaks, and without spaces around them"
                )
    return headers


def fallback_targets(
    first: Target, fallbacks: Sequence[str | Mapping[str, Any]], own: Mapping[str, Endpoint]
) -> list[Target]:
    """The targets of the fallbacks.

    What holds for the first model's server alone, its key above all, goes to a fallback only if
    that is of the same provider.
    """
    if isinstance(fallbacks, (str, Mapping)):
        raise BadRequestError("fallbacks must be a list of models, as in ['anthropic/claude-x']")
    found = []
    provider = row_name_of(first.model, first.base_url, own)
    for each in fallbacks:
        if not isinstance(each, (str, Mapping)):
            raise BadRequestError("fallbacks must be models, or mappings with model and the like")
        given = {"model": each} if isinstance(each, str) else dict(each)
        target, params = target_of(given.pop("model", None), given)
        if params:
            target = replace(target, params=checked_params(params))
        base_url = target.base_url or first.base_url
        if row_name_of(target.model, base_url, own) == provider:
            target = replace(
                target,
                api_key=target.api_key or first.api_key,
                base_url=base_url,
                api=target.api or first.api,
                settings={**first.settings, **target.settings},
                extra_body=target.extra_body or first.extra_body,
                extra_headers=target.extra_headers or first.extra_headers,
            )
        found.append(target)
    return found
