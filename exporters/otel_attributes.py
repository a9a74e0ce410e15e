"""Span attributes of a call by the OpenTelemetry GenAI conventions; pure, and free of content.

Names: semantic-conventions-genai v0.1.0 (2026). The cost names ``gen_ai.usage.cost.*`` are those
of its pull request 443, which is still open. What no convention covers stands under ``costspan.``.
"""

from __future__ import annotations

from typing import Final

from costspan.core.naming import canonical_provider, otel_provider
from costspan.exporters import otel_tokens as tokens
from costspan.exporters.otel_parameters import AttributeValue, clean_text, parameter_attributes
from costspan.middleware.record import Call, ProviderRequest, Repeated
from costspan.pricing.types import Estimate

Attributes = dict[str, AttributeValue]

_OPENAI: Final = "openai"
_OPENAI_APIS: Final = {"chat": "chat_completions", "responses": "responses"}
_SUBSETS: Final = (
    ("gen_ai.usage.cache_read.input_tokens", tokens.CACHE_READ),
    ("gen_ai.usage.cache_write.input_tokens", tokens.CACHE_WRITE),
    ("gen_ai.usage.reasoning.output_tokens", tokens.REASONING),
)


def span_name(operation: str, model: str) -> str:
    """Name the span: ``chat gpt-4o``, or ``chat`` alone when no model is known."""
    return f"{operation} {clean_text(model)}" if model else operation


def request_attributes(
    operation: str, provider: str, model: str, endpoint: str | None, port: int | None
) -> Attributes:
    """Build what is known before the call runs, and what samplers decide by.

    Args:
        operation: OpenTelemetry's operation name.
        provider: Canonical provider id.
        model: The model as the user named it.
        endpoint: Host of the server, if known.
        port: Port of the server, if known; left out without a host.

    Returns:
        Attributes, only those that have a value.
    """
    attributes: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": otel_provider(provider),
    }
    if model:
        attributes["gen_ai.request.model"] = clean_text(model)
    if endpoint:
        attributes["server.address"] = endpoint
        if port is not None:
            attributes["server.port"] = port
    return attributes


def error_type(record: Call) -> str | None:
    """Say what ``error.type`` a call has.

    Args:
        record: The finished call.

    Returns:
        The exception's qualified class name; ``cancelled`` for a cancellation and ``_OTHER`` for
        an error of which no class is known; None for a call that did not fail. A stream that was
        left before its end did not fail.
    """
    if record.status not in ("error", "cancelled"):
        return None
    if record.error is not None:
        return clean_text(record.error.type)
    return "cancelled" if record.status == "cancelled" else "_OTHER"


def requested_model(request: ProviderRequest) -> str:
    """Give the model as it was asked of the provider: without our routing prefix.

    Args:
        request: One request of a call.

    Returns:
        ``gpt-4o`` for ``openai/gpt-4o`` asked of OpenAI. A prefix that is not the provider's own
        belongs to the name and stays (``openai/gpt-oss-120b`` asked of Groq).
    """
    prefix, slash, rest = request.model_requested.partition("/")
    routed = slash and rest and canonical_provider(prefix) == request.provider
    return clean_text(rest if routed else request.model_requested)


def response_model(request: ProviderRequest) -> str | None:
    """Give the model that answered, None where the response did not say it."""
    if request.usage is not None and request.usage.served.model:
        return clean_text(request.usage.served.model)
    answered = clean_text(request.model)
    return None if answered in (request.model_requested, requested_model(request)) else answered


def response_tier(request: ProviderRequest) -> str | None:
    """Give the service tier that OpenAI billed, in its spelling; None for any other provider."""
    if request.provider != _OPENAI or request.usage is None:
        return None
    tier = request.usage.served.tier
    return "default" if tier == "standard" else tier


def cost_source(request: ProviderRequest) -> str:
    """Say who computed a cost: ``provider`` if the response carried it, else ``local``."""
    return "provider" if request.cost and request.cost.status == "reported" else "local"


def span_attributes(record: Call) -> Attributes:
    """Build all attributes that the finished call knows.

    The last request is described; usage and cost are sums over all requests.

    Args:
        record: The finished call.

    Returns:
        Attributes, only those that have a value.
    """
    last = record.last
    attributes = request_attributes(
        record.operation, last.provider, requested_model(last), last.endpoint, last.port
    )
    attributes |= parameter_attributes(record.request_params, openai=last.provider == _OPENAI)
    attributes |= _response_attributes(record)
    attributes |= _usage_attributes(record)
    attributes |= _cost_attributes(record)
    attributes |= _call_attributes(record)
    if record.estimate is not None:
        attributes |= _estimate_attributes(record.estimate)
    return attributes


def _response_attributes(record: Call) -> Attributes:
    last = record.last
    attributes: Attributes = {}
    if record.streaming:
        attributes["gen_ai.request.stream"] = True
    if record.ttft_us is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = record.ttft_us / 1e6
    if last.response_id:
        attributes["gen_ai.response.id"] = clean_text(last.response_id)
    if model := response_model(last):
        attributes["gen_ai.response.model"] = model
    if last.finish_reasons:
        reasons = [clean_text(reason) or "error" for reason in last.finish_reasons]
        attributes["gen_ai.response.finish_reasons"] = reasons
    if last.provider == _OPENAI and last.api in _OPENAI_APIS:
        attributes["openai.api.type"] = _OPENAI_APIS[last.api]
    if tier := response_tier(last):
        attributes["openai.response.service_tier"] = clean_text(tier)
    return attributes


def _usage_attributes(record: Call) -> Attributes:
    attributes: Attributes = {}
    for side, meter in (("input_tokens", tokens.INPUT), ("output_tokens", tokens.OUTPUT)):
        split = tokens.total_by_modality(record.requests, meter)
        if split:
            attributes[f"gen_ai.usage.{side}"] = sum(split.values())
            attributes |= _modality_attributes(split, side)
    for name, meter in _SUBSETS:
        split = tokens.total_by_modality(record.requests, meter)
        if split:
            attributes[name] = sum(split.values())
            if meter == tokens.CACHE_READ:
                attributes |= _modality_attributes(split, "cache_read.input_tokens")
    if source := tokens.weakest_source(record.requests):
        attributes["costspan.usage.source"] = source
    return attributes


def _modality_attributes(split: dict[str, int], suffix: str) -> Attributes:
    known = split.items()
    return {f"gen_ai.usage.{m}.{suffix}": count for m, count in known if m != tokens.UNKNOWN}


def _cost_attributes(record: Call) -> Attributes:
    attributes: Attributes = {"costspan.cost.status": record.cost_status}
    amount = record.cost_usd
    if amount is not None:
        known = [r for r in record.requests if r.cost and r.cost.total is not None]
        reported = all(cost_source(request) == "provider" for request in known)
        attributes["gen_ai.usage.cost.amount"] = float(amount)
        attributes["gen_ai.usage.cost.currency"] = "USD"
        attributes["gen_ai.usage.cost.source"] = "provider" if reported else "local"
    if record.billing_mode == "plan":
        attributes["costspan.billing.mode"] = "plan"
    return attributes


def _call_attributes(record: Call) -> Attributes:
    attributes: Attributes = {
        "costspan.call.id": str(record.call_id),
        "costspan.call.status": record.status,
        "costspan.call.ended_by": record.ended_by,
    }
    for key, value in record.tags.items():
        attributes[f"costspan.tag.{clean_text(key)}"] = clean_text(value)
    if record.session_id:
        attributes["gen_ai.conversation.id"] = clean_text(record.session_id)
    if len(record.requests) > 1:
        attributes["costspan.call.requests"] = len(record.requests)
    if record.retries:
        attributes["costspan.call.retries"] = record.retries
    if failure := error_type(record):
        attributes["error.type"] = failure
    if record.error is not None and record.error.http_status is not None:
        attributes["http.response.status_code"] = record.error.http_status
    if record.error is not None and record.error.code:
        attributes["costspan.error.code"] = clean_text(record.error.code)
    return attributes


def attempt_attributes(attempt: Repeated) -> Attributes:
    """What an event says of an attempt that failed before another one was made."""
    attributes: Attributes = {
        "gen_ai.provider.name": otel_provider(attempt.provider),
        "gen_ai.request.model": clean_text(attempt.model),
    }
    if attempt.error is not None:
        attributes["error.type"] = attempt.error.type
        if attempt.error.http_status is not None:
            attributes["http.response.status_code"] = attempt.error.http_status
        if attempt.error.code:
            attributes["costspan.error.code"] = clean_text(attempt.error.code)
    if attempt.wait_s is not None:
        attributes["costspan.attempt.wait_s"] = attempt.wait_s
    return attributes


def _estimate_attributes(estimate: Estimate) -> Attributes:
    attributes: Attributes = {
        "costspan.estimate.input_tokens": estimate.input_tokens.likely,
        "costspan.estimate.output_tokens": estimate.output_tokens.likely,
        "costspan.estimate.basis": estimate.basis,
        "costspan.estimate.confidence": estimate.confidence,
    }
    cost = estimate.cost_usd
    if cost is not None:
        attributes["costspan.estimate.cost_usd"] = float(cost.likely)
        attributes["costspan.estimate.cost_low_usd"] = float(cost.low)
        attributes["costspan.estimate.cost_high_usd"] = float(cost.high)
    return attributes
