"""What genai-prices answers to the cost cases: reads them as JSON from stdin, prints its answers.

Passed: the whole response to ``extract_usage`` where it has an extractor for the format, otherwise
its usage fields by hand; the model that answered, else the one asked for; the instant; batch, the
tier served (else asked for) and fast mode as ``price_context``; tool calls as counts.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from bodies import Case, response_body
from genai_prices import Usage, calc_price, extract_usage

PROVIDERS = {"vertex": "google"}
FLAVOURS = {
    ("openai", "transcription"): "by hand",
    ("vertex", "messages"): "anthropic",
    ("azure", "chat"): "chat",
    ("x-ai", "chat"): "chat",
    ("x-ai", "responses"): "responses",
    ("openrouter", "chat"): "chat",
    ("deepseek", "chat"): "chat",
    ("fireworks", "chat"): "chat",
    ("together", "chat"): "by hand",
    ("cohere", "rerank"): "by hand",
}
TOOLS = {
    "web_search": "web_searches",
    "x_search": "social_searches",
    "file_search": "storage_searches",
    "code_interpreter": "code_executions",
}


def main() -> None:
    """Answer each case with US dollars, or the error."""
    print(json.dumps({case["id"]: answer(case) for case in json.load(sys.stdin)}))


def answer(case: Case) -> str:
    """Give US dollars, or the name of the error.

    Args:
        case: An entry of ``tests/data/cost_cases.json``.
    """
    error = ""
    for model in (case["response_model"], case["model"]):
        try:
            return str(_price(case, model))
        except (LookupError, ValueError) as problem:
            error = error or type(problem).__name__
    return error


def _price(case: Case, model: str) -> object:
    provider = PROVIDERS.get(case["provider"], case["provider"])
    usage = _usage(case, provider)
    for tool, count in {**_counted(case), **case["context"].get("tool_calls", {})}.items():
        if tool in TOOLS and not usage.reported_value(TOOLS[tool]):
            setattr(usage, TOOLS[tool], count)
        elif tool == ("grounded_prompts" if "gemini-2" in model else "google_search_queries"):
            usage.web_searches = count  # which of the two its price means, the caller must know
    return calc_price(
        usage,
        model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromisoformat(case["timestamp"]),
        price_context=_context(case),
    ).total_price


def _usage(case: Case, provider: str) -> Usage:
    default = case["api"] if case["provider"] == "openai" else "default"
    flavour = FLAVOURS.get((case["provider"], case["api"]), default)
    if flavour != "by hand":
        body = response_body(case)
        return extract_usage(body, provider_id=provider, api_flavor=flavour).usage
    usage = case["usage"]
    details = usage.get("input_token_details") or {}
    read: dict[str, Any] = {
        "input_tokens": usage.get("input_tokens", usage.get("prompt_tokens")),
        "output_tokens": usage.get("output_tokens", usage.get("completion_tokens")),
        "input_text_tokens": details.get("text_tokens"),
        "input_audio_tokens": details.get("audio_tokens"),
        "audio_seconds": usage.get("seconds"),
        "input_audio_seconds": usage.get("seconds"),
        "rerank_searches": (usage.get("billed_units") or {}).get("search_units"),
    }
    return Usage(**{key: value for key, value in read.items() if value is not None})


def _counted(case: Case) -> dict[str, int]:
    """Give the tool calls that xAI counts in its usage."""
    details = case["usage"].get("server_side_tool_usage_details", {})
    return {name.removesuffix("_calls"): count for name, count in details.items() if count}


def _context(case: Case) -> dict[str, str]:
    said, usage, context = case["response_extra"], case["usage"], case["context"]
    tier = said.get("service_tier") or usage.get("service_tier")
    tier = tier or context.get("requested_service_tier")
    if case["provider"] == "google":
        traffic = usage.get("trafficType", "").removeprefix("ON_DEMAND").strip("_").lower()
        tier = traffic or tier
    found = {"service_tier": tier, "speed": usage.get("speed")}
    if context.get("batch") or tier == "batch":
        found["processing"] = "batch"
    return {key: value for key, value in found.items() if value}


if __name__ == "__main__":
    main()
