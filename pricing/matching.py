"""The spellings of a model id that the catalogue may know it by: exact forms, never substrings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from costspan.core.naming import canonical_provider

_BEDROCK_PROFILE = re.compile(r"(us-gov|us|eu|apac|jp|au|ca|in|global)\.(?=[a-z0-9-]+\.)")
_BEDROCK_ROUTE = re.compile(r"(converse|invoke|[a-z]{2}(-gov)?-[a-z]+-\d)/")  # of LiteLLM
_RESOURCES = ("models/", "accounts/", "projects/", "publishers/", "arn:")
_OWN_PREFIXES = {"vertex": ("vertex", "google", "anthropic", "mistral")}
_COMPACT_DATE = re.compile(r"(.+)-(20\d\d)(\d\d)(\d\d)")
_DASHED_DATE = re.compile(r"(.+)-(20\d\d)-(\d\d)-(\d\d)")


def bedrock_profile(model: str) -> str | None:
    """Give the inference profile in a Bedrock id (``us``, ``global`` ...), None without one."""
    found = _BEDROCK_PROFILE.match(_last_part(model.strip().lower()))
    return found[1] if found else None


def forms(provider: str, model: str) -> Iterator[str]:
    """Give the ids to look up, the surest first.

    Args:
        provider: Canonical provider id.
        model: The model as a caller or a response spells it.

    Yields:
        Lower-case ids: as given; without the provider's prefix (``gemini/``), resource path
        (``accounts/fireworks/models/``, an ARN) or Bedrock profile; the base of a fine-tuned
        OpenAI id; Vertex's ``@version``; Azure's ``gpt-35``; the date in its other form.
    """
    seen = set()
    for form in _spellings(provider, model.strip().lower()):
        if form and form not in seen:
            seen.add(form)
            yield form


def _spellings(provider: str, name: str) -> Iterator[str]:
    yield name
    prefix, slash, rest = name.partition("/")
    if slash and canonical_provider(prefix) in _OWN_PREFIXES.get(provider, (provider,)):
        name = rest
        yield name
    if "/" in name and name.startswith(_RESOURCES):
        name = _last_part(name)
        yield name
    if provider == "aws":
        if route := _BEDROCK_ROUTE.match(name):
            name = name[route.end() :]
        name = _BEDROCK_PROFILE.sub("", name, count=1)
        yield name
        if name.startswith("claude-"):  # as the body of an InvokeModel answer spells it
            yield from (f"anthropic.{name}-v1:0", f"anthropic.{name}-v1", f"anthropic.{name}")
    if name.startswith("ft:"):
        name = ":".join(name.split(":")[:2])
        yield name
    if "@" in name:
        base, _, version = name.partition("@")
        name = base if version in ("default", "latest", "001") else f"{base}-{version}"
        yield name
    if provider == "azure":
        yield name.replace("gpt-35-", "gpt-3.5-")
    compact, dashed = _COMPACT_DATE.fullmatch(name), _DASHED_DATE.fullmatch(name)
    if compact:
        yield "{}-{}-{}-{}".format(*compact.groups())
    if dashed:
        yield "{}-{}{}{}".format(*dashed.groups())


def undated(form: str) -> str | None:
    """Give a dated id without its date; None when it has none.

    It is the same model only where the catalogue prices that id itself: where it is an alias,
    the date may name another snapshot than the alias means.
    """
    found = _DASHED_DATE.fullmatch(form) or _COMPACT_DATE.fullmatch(form)
    return found[1] if found else None


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
