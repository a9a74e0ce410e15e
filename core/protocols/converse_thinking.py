"""How much the models of Bedrock are to think: each family is told in other fields.

As of 2026-11:
Claude: https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html
Nova: https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
OpenAI: https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-openai.html
All others: ``outputConfig.effort``, in the service's model of botocore 1.44.
"""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.errors import BadRequestError
from costspan.core.protocols.claude_thinking import (
    is_effort_unsupported,
    thinking_of_effort,
    thinks_by_budget,
)


def unsupported_thinking(params: Mapping[str, object], model: str) -> list[str]:
    """Parameters of thinking that the model has no place for."""
    if _may_be_claude(model):
        return ["reasoning_effort"] if is_effort_unsupported(params, model) else []
    found = ["thinking", "thinking_budget"]
    if params.get("reasoning_effort") == "none" and not is_nova(model):
        found.append("reasoning_effort")
    return found


def effort_for_all(params: Mapping[str, object], model: str) -> object:
    """The effort in the field that all models share; None where nothing goes there."""
    effort = params.get("reasoning_effort")
    if effort == "none" or _is_openai(model) or is_nova(model) or thinks_by_budget(model):
        return None
    return "low" if effort == "minimal" else effort


def thinking_fields(params: Mapping[str, object], model: str) -> dict[str, object]:
    """The fields of the model's own that say how much it thinks.

    Raises:
        BadRequestError: The budget leaves nothing for the answer.
    """
    effort, budget = params.get("reasoning_effort"), params.get("thinking_budget")
    thinking = params.get("thinking")
    if thinking is None and budget is not None:
        thinking = {"type": "enabled", "budget_tokens": budget}
    if effort is not None and _is_openai(model):
        return {"reasoning_effort": effort}
    if effort is not None and is_nova(model):
        return {"reasoningConfig": _nova_reasoning(effort)}
    if thinking is None:
        thinking = thinking_of_effort(params, model)
    _check_budget(params, thinking)
    return {} if thinking is None else {"thinking": thinking}


def is_nova(model: str) -> bool:
    """Whether a model is one of Amazon's Nova."""
    return "amazon.nova" in model


def _may_be_claude(model: str) -> bool:
    """Whether a model takes Anthropic's own fields; an ARN need not tell what it stands for."""
    return "claude" in model or model.startswith("arn:")


def _is_openai(model: str) -> bool:
    return "openai." in model


def _nova_reasoning(effort: object) -> dict[str, object]:
    if effort == "none":
        return {"type": "disabled"}
    return {"type": "enabled", "maxReasoningEffort": "low" if effort == "minimal" else effort}


def _check_budget(params: Mapping[str, object], thinking: object) -> None:
    """The bound of the output includes the thinking."""
    asked = params.get("max_completion_tokens", params.get("max_tokens"))
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    if isinstance(asked, int) and isinstance(budget, int) and budget >= asked:
        raise BadRequestError(
            f"the thinking budget of {budget} tokens leaves nothing of max_tokens={asked} for "
            "the answer: raise max_tokens above the budget",
            provider="aws",
        )
