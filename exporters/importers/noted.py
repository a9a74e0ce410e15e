"""A call as another program noted it, and the row of the ledger that it becomes.

It is priced and projected as a call that was recorded here, so a report cannot tell them apart
but by ``sdk_version``, which says ``import:`` and the format.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from costspan.core.types import JSON, Usage
from costspan.core.usage import read_usage
from costspan.exporters.ledger.facts import Row
from costspan.exporters.ledger.row import row
from costspan.middleware.aliases import Alias
from costspan.middleware.hashing import TagHasher, is_hashed
from costspan.middleware.record import NOTHING, Call, ErrorFacts, ProviderRequest
from costspan.middleware.request import OPERATIONS, unprefixed
from costspan.middleware.tags import MAX_NAME_LENGTH, MAX_TAGS, MAX_VALUE_LENGTH
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.told import TOLD_BY, with_told
from costspan.pricing.types import Cost

ORIGIN = "import:"
"""``sdk_version`` of imported rows starts with this, and ends with the format."""

_IDS = uuid.UUID("6f0d1c62-5f0e-5d0b-9d2c-2b1f3c6f7a10")
_UNTOLD = ("streaming", "chunks", "retries", "ended_by")
_FREE = Decimal(0)


class Noted(NamedTuple):
    """One call out of a foreign log.

    Attributes:
        form: The format it comes from.
        identity: What names the call there; the same call has the same one in every copy.
        provider: Canonical provider id.
        api: Canonical api name.
        model: The model that answered, without a routing prefix.
        started_at, ended_at: Aware instants.
        usage: The usage object as it was noted; None when nothing is known.
        usage_provider, usage_api: Whose format it has.
        tokens: How many tokens it tells, by which the fullest of several copies is known.
        complete: False when the log shows that the counts were taken before the answer's end.
        free: The answer came out of that program's own cache, so nothing was billed.
        told_usd: What that program took it to cost, in US dollars; None when unknown.
        model_requested: The model as the user named it; the same as ``model`` by default.
        tags: Names to texts.
        response_id, session_id, endpoint, finish_reason, error: As in the record of a call.
        latency_us, ttft_us: In microseconds; None when unknown.
    """

    form: str
    identity: str
    provider: str
    api: str
    model: str
    started_at: datetime
    ended_at: datetime
    usage: JSON | None = None
    usage_provider: str = ""
    usage_api: str | None = None
    tokens: int = 0
    complete: bool = True
    free: bool = False
    told_usd: Decimal | None = None
    model_requested: str | None = None
    tags: Mapping[str, str] = NOTHING
    response_id: str | None = None
    session_id: str | None = None
    endpoint: str | None = None
    finish_reason: str | None = None
    error: ErrorFacts | None = None
    latency_us: int | None = None
    ttft_us: int | None = None


def call_id(form: str, identity: str) -> uuid.UUID:
    """The id of a foreign call: the same whenever it is imported."""
    return uuid.uuid5(_IDS, f"{form}:{identity}")


def merged(one: Noted, other: Noted) -> Noted:
    """Two notes of the same call as one: the fuller counts, the whole time it took."""
    full, less = (other, one) if other.tokens > one.tokens else (one, other)
    return full._replace(
        started_at=min(one.started_at, other.started_at),
        ended_at=max(one.ended_at, other.ended_at),
        complete=one.complete or other.complete,
        finish_reason=full.finish_reason or less.finish_reason,
        tags=one.tags,
        session_id=one.session_id,
    )


class Recorder(NamedTuple):
    """Makes rows of foreign calls.

    Attributes:
        catalogue: The prices.
        aliases: Model names priced as other models.
        billing_mode: ``metered``, or ``plan`` for calls that a flat subscription paid.
        tags: The user's, on every imported call; they go before what the log says.
        hasher: Hashes the tags that the configuration names; None where it names none.
    """

    catalogue: Catalogue
    aliases: Mapping[str, Alias]
    billing_mode: Literal["metered", "plan"] = "metered"
    tags: Mapping[str, str] = NOTHING
    hasher: TagHasher | None = None

    def all_tags(self, of_call: Mapping[str, str]) -> Mapping[str, str]:
        """The tags of a call with the user's, as they are stored."""
        return self.protected(storable({**of_call, **self.tags}))

    def protected(self, tags: Mapping[str, str]) -> Mapping[str, str]:
        """Tags with the values hashed that the configuration wants hashed, if they are not yet."""
        if self.hasher is None:
            return tags
        return {
            name: tags[name] if is_hashed(tags[name]) else value
            for name, value in self.hasher(tags).items()
        }

    def row(self, noted: Noted) -> Row:
        """Price a call at its own instant, and project it onto the columns of the ledger.

        Returns:
            Column to value, as `costspan.exporters.ledger.row.row` gives it; what the log does
            not tell is missing.
        """
        requested = noted.model_requested or noted.model
        usage = self._usage(noted)
        context: dict[str, object] = {"cache_hit": True} if noted.free else {}
        if noted.told_usd is not None:
            context[TOLD_BY] = noted.form
        alias = self.aliases.get(requested) or self.aliases.get(noted.model)
        if alias is not None:
            context["priced_as"] = str(alias)
        request = ProviderRequest(
            noted.provider,
            noted.api,
            requested,
            noted.model,
            noted.started_at,
            noted.ended_at,
            usage,
            self._cost(noted, usage, alias, requested),
            endpoint=noted.endpoint,
            response_id=noted.response_id,
            finish_reasons=(noted.finish_reason,) if noted.finish_reason else (),
            context=context or NOTHING,
            error=noted.error,
        )
        columns = row(self._call(noted, request))
        for name in _UNTOLD:
            del columns[name]
        columns["sdk_version"] = ORIGIN + noted.form
        return columns

    def _call(self, noted: Noted, request: ProviderRequest) -> Call:
        return Call(
            call_id(noted.form, noted.identity),
            OPERATIONS.get(noted.api, "chat"),
            (request,),
            noted.started_at,
            noted.ended_at,
            noted.latency_us or 0,
            "error" if noted.error else "ok",
            "raised" if noted.error else "value",
            noted.ttft_us,
            error=noted.error,
            tags=self.all_tags(noted.tags),
            session_id=self._session(noted.session_id),
            billing_mode=self.billing_mode,
        )

    def _session(self, named: str | None) -> str | None:
        return self.protected({"session_id": named})["session_id"] if named else None

    @staticmethod
    def _usage(noted: Noted) -> Usage | None:
        usage = read_usage(noted.usage, provider=noted.usage_provider, api=noted.usage_api)
        if usage is None or noted.complete:
            return usage
        return usage._replace(source="partial")

    def _cost(
        self, noted: Noted, usage: Usage | None, alias: Alias | None, requested: str
    ) -> Cost | None:
        if noted.free:
            return Cost(_FREE, "free", catalogue_version=self.catalogue.version)
        if usage is None and noted.told_usd is None and noted.error is not None:
            return None
        cost = self.catalogue.cost(
            provider=alias.provider if alias else noted.provider,
            model=alias.model if alias else unprefixed(noted.provider, requested),
            usage=usage,
            at=noted.ended_at,
            started_at=noted.started_at,
            response_model=None if alias else noted.model,
        )
        return cost if noted.told_usd is None else with_told(cost, noted.told_usd)


def storable(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags out of a log, as far as they can be stored: no empty ones, cut to length."""
    kept = [
        (name[:MAX_NAME_LENGTH], value[:MAX_VALUE_LENGTH])
        for name, value in tags.items()
        if name and value
    ]
    return dict(kept[:MAX_TAGS])
