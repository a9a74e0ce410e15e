"""Efforts for the Claude models that think by a budget of tokens, and refuse ``effort``.

Models as of 2026-11: https://platform.claude.com/docs/en/build-with-claude/effort names those that
take it: Opus 4.5, all of 4.6 and later. The others answer 400
(https://github.com/anthropics/claude-code/issues/30795, 2026-03). Anthropic names no budget for an
effort, so they are the ones of Google's table, which we send to Gemini as well.
"""

from __future__ import annotations

from collections.abc import Mapping

LEAST_THINKING_TOKENS = 1024
"""https://platform.claude.com/docs/en/build-with-claude/extended-thinking."""

_BUDGET_TOKENS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_BY_BUDGET = (
    "claude-3",
    "haiku-4",
    "sonnet-4-0",
    "sonnet-4-2",  # 20250514
    "sonnet-4-5",
    "opus-4-0",
    "opus-4-1",
    "opus-4-2",  # 20250514
)


def thinks_by_budget(model: str) -> bool:
    """Whether a model is one of the Claudes that refuse ``effort``."""
    return any(name in model for name in _BY_BUDGET)


def is_effort_unsupported(params: Mapping[str, object], model: str) -> bool:
    """Whether the effort has no budget that means it, or stands beside another budget."""
    effort = params.get("reasoning_effort", "none")
    if effort == "none" or not thinks_by_budget(model):
        return False
    return effort not in _BUDGET_TOKENS or "thinking" in params or "thinking_budget" in params


def thinking_of_effort(params: Mapping[str, object], model: str) -> dict[str, object] | None:
    """Anthropic's ``thinking`` for an effort; None where the model takes the effort itself.

    The budget leaves half of the bound of the output to the answer, if it may be that small.
    """
    effort = params.get("reasoning_effort")
    if effort == "none":
        return {"type": "disabled"}
    if not isinstance(effort, str) or not thinks_by_budget(model):
        return None
    budget = _BUDGET_TOKENS[effort]
    asked = params.get("max_completion_tokens", params.get("max_tokens"))
    if isinstance(asked, int):
        budget = max(LEAST_THINKING_TOKENS, min(budget, asked // 2))
    return {"type": "enabled", "budget_tokens": budget}
