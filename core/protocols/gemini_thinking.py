"""How much a Gemini model is to think: a budget in tokens up to 2.5, a level from 3 on.

Rules as of 2026-11: https://ai.google.dev/gemini-api/docs/thinking; the budgets of the efforts are
those of Google's OpenAI-compatible API: https://ai.google.dev/gemini-api/docs/openai. There
``minimal`` is the level ``low`` for Pro models, which have none below it.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.endpoint import Endpoint
from costspan.core.errors import BadRequestError

_BUDGET_TOKENS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_LEVELS = ("minimal", "low", "medium", "high")
_BUDGETED = ("gemini-1", "gemini-2")


def thinks_by_level(model: str) -> bool:
    """Whether the model is of a generation that has levels instead of budgets."""
    return not any(name in model for name in _BUDGETED)


def unsupported_thinking(params: Mapping[str, object], model: str) -> list[str]:
    """Parameters that ask the model for what it cannot: unknown efforts, not to think at all."""
    by_level = thinks_by_level(model)
    found = []
    if params.get("reasoning_effort", "low") not in (_LEVELS if by_level else _BUDGET_TOKENS):
        found.append("reasoning_effort")
    if by_level and _disabled(params):
        found.append("thinking")
    return found


def thinking_config(
    params: Mapping[str, object], model: str, endpoint: Endpoint
) -> dict[str, object] | None:
    """The thinking that is asked for; None where nothing is. Asking for it shows the thoughts.

    Raises:
        BadRequestError: Both an effort and a budget are given, which the API refuses, or the
            budget leaves nothing of the bound of the output, which includes the thoughts.
    """
    if _disabled(params):
        return {"thinkingBudget": 0}
    effort, budget = params.get("reasoning_effort"), _budget(params)
    if effort is not None and budget is not None:
        raise BadRequestError(
            "reasoning_effort and a thinking budget are one setting for Gemini: give one of them",
            provider=endpoint.provider,
        )
    config: dict[str, object] = {}
    if isinstance(effort, str):
        if thinks_by_level(model):
            lowest = "LOW" if "-pro" in model else "MINIMAL"
            config["thinkingLevel"] = lowest if effort == "minimal" else effort.upper()
        else:
            budget = _BUDGET_TOKENS[effort]
    elif isinstance(budget, int):
        _check_budget(budget, params, endpoint)
    if isinstance(budget, int):
        config["thinkingBudget"] = budget
    if (config and budget != 0) or "thinking" in params:
        config["includeThoughts"] = True
    return config or None


def _disabled(params: Mapping[str, object]) -> bool:
    thinking = params.get("thinking")
    return isinstance(thinking, Mapping) and thinking.get("type") == "disabled"


def _budget(params: Mapping[str, object]) -> object:
    thinking = params.get("thinking")
    found = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return params.get("thinking_budget") if found is None else found


def _check_budget(budget: int, params: Mapping[str, object], endpoint: Endpoint) -> None:
    asked = params.get("max_completion_tokens", params.get("max_tokens"))
    if isinstance(asked, int) and budget >= asked:
        raise BadRequestError(
            f"the thinking budget of {budget} tokens leaves nothing of max_tokens={asked} for "
            "the answer: raise max_tokens above the budget",
            provider=endpoint.provider,
        )
