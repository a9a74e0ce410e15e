"""What a call used: the provider's word, or else a flagged count of what was seen."""

from __future__ import annotations

from costspan.core.deltas import read_held
from costspan.core.observation import Observation
from costspan.core.types import Usage
from costspan.pricing.estimate import count_answer
from costspan.pricing.types import Estimate

UNCOUNTED = "no_usage"
"""The provider counted nothing: the counts are ours."""


def usage_seen(
    seen: Observation,
    provider: str,
    model: str,
    answered: bool,
    streaming: bool,
    estimate: Estimate | None,
) -> Usage | None:
    """The provider's usage, or else a flagged count of what was seen.

    Of a request that failed before any answer, of an answer that is still in the making and of a
    result that is no reply of any wire format we know, nothing can be said: None. Of a stream that
    was left before its first word, the prompt.

    Args:
        seen: What the response has said.
        provider: Whose accounting rules hold.
        model: The model that was asked, whose vocabulary counts.
        answered: Whether it is a reply of a known wire format and no exception came of it.
        streaming: Whether it was streamed.
        estimate: What was said of the prompt before the call.
    """
    usage = seen.usage_of(provider)
    if usage is not None and seen.complete:
        return usage
    if seen.held:
        read_held(seen)
    answered = answered and seen.complete and not seen.error_type
    if not seen.output_text and not answered:
        if usage is None and seen.accepted and not seen.error_type and estimate is not None:
            return _prompt_alone(estimate, f"{provider}/{seen.api}")
        return usage._replace(source="partial") if usage is not None and streaming else usage
    output_tokens = count_answer("".join(seen.output_text), model=model)
    if usage is not None:
        return _completed(usage, output_tokens)
    buckets = {"tokens.out.text": output_tokens}
    flags: tuple[str, ...] = (UNCOUNTED,)
    if estimate is not None:
        buckets["tokens.in.text"] = estimate.input_tokens.likely
    else:
        flags += ("missing:input",)
    return Usage(
        buckets=buckets,
        source="estimated" if seen.complete else "partial",
        flags=flags,
        profile=f"{provider}/{seen.api}",
    )


def _prompt_alone(estimate: Estimate, profile: str) -> Usage:
    """A stream that the server had begun, and of which no word was seen: its prompt is billed."""
    return Usage(
        buckets={"tokens.in.text": estimate.input_tokens.likely},
        source="partial",
        flags=(UNCOUNTED, "missing:output"),
        profile=profile,
    )


def _completed(usage: Usage, output_tokens: int) -> Usage:
    """A cut stream whose last report came before its last text: take the larger output."""
    reported = usage.output_tokens or 0
    if output_tokens <= reported:
        return usage._replace(source="partial")
    text = usage.buckets.get("tokens.out.text", 0) + output_tokens - reported
    return usage._replace(buckets={**usage.buckets, "tokens.out.text": text}, source="partial")
