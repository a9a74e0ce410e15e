"""What LiteLLM answers to the cost cases: reads them as JSON from stdin, prints its answers.

Passed: the response as LiteLLM's own provider class reads it from the HTTP body, to
``response_cost_calculator``, which it runs after each call (``completion_cost``, and the cost that
a provider reports); the model with LiteLLM's prefix, as answered, else as asked for; the tier
asked for, batch by ``batch_cost_calculator``, data residency, Vertex location and the tools that
were switched on. It takes no instant: it knows today's prices only.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from unittest.mock import MagicMock

import httpx
import litellm
from bodies import Case, response_body
from litellm.cost_calculator import batch_cost_calculator
from litellm.types.rerank import RerankResponse
from litellm.types.utils import (
    ImageResponse,
    LlmProviders,
    ModelResponse,
    TranscriptionResponse,
    Usage,
)
from litellm.utils import ProviderConfigManager

PREFIXES = {
    "google": "gemini",
    "vertex": "vertex_ai",
    "aws": "bedrock",
    "x-ai": "xai",
    "together": "together_ai",
    "fireworks": "fireworks_ai",
}
CALL_TYPES = {
    "images": "image_generation",
    "transcription": "transcription",
    "rerank": "rerank",
}


def main() -> None:
    """Answer each case with US dollars, or the error."""
    litellm.suppress_debug_info = True
    print(json.dumps({case["id"]: answer(case) for case in json.load(sys.stdin)}))


def answer(case: Case) -> str:
    """Give US dollars, or the name of the error.

    Args:
        case: An entry of ``tests/data/cost_cases.json``.
    """
    error = ""
    for model in dict.fromkeys((case["response_model"], case["model"])):
        try:
            return repr(_price(case, model))
        except Exception as problem:  # it raises a bare Exception for an unknown model
            error = error or type(problem).__name__
    return error


def _price(case: Case, model: str) -> float:
    provider = PREFIXES.get(case["provider"], case["provider"])
    context = case["context"]
    zone = "eu/" if context.get("azure_deployment") == "datazone-eu" else ""
    name = f"{provider}/{zone}{model}"
    response = _response(case, model, provider)
    if zone:
        response.model = zone + model  # the answer's model goes before the one asked for
    if context.get("batch"):
        return sum(batch_cost_calculator(response.usage, name, provider))
    return litellm.response_cost_calculator(
        response_object=response,
        model=name,
        custom_llm_provider=provider,
        call_type=CALL_TYPES.get(case["api"], "completion"),
        optional_params={},
        service_tier=case["response_extra"].get("service_tier")
        or context.get("requested_service_tier"),
        data_residency=context.get("data_residency") or context.get("regional_endpoint"),
        vertex_location=context.get("vertex_location"),
        standard_built_in_tools_params=_tools(case),
    )


def _tools(case: Case) -> Any:
    """Give the tools that the request switched on, with the search's context size."""
    calls = case["context"].get("tool_calls", {})
    size = case["usage"].get("search_context_size")
    tools: dict[str, Any] = {}
    if "web_search" in calls or size:
        tools["web_search_options"] = {"search_context_size": size} if size else {}
    if "file_search" in calls:
        tools["file_search"] = case["response_extra"]["tools"][0]
    return tools


def _response(case: Case, model: str, provider: str) -> Any:
    """Read the HTTP body as LiteLLM does."""
    body, usage = response_body(case), case["usage"]
    raw = httpx.Response(200, json=body, request=httpx.Request("POST", "http://x"))
    log = MagicMock(optional_params={})
    owner = LlmProviders("openai" if provider == "azure" else provider)  # read alike
    if case["api"] == "responses":
        config = ProviderConfigManager.get_provider_responses_api_config(owner, model)
        assert config is not None
        return config.transform_response_api_response(model, raw, log)
    if case["api"] == "images":
        return ImageResponse(created=0, data=[], usage=usage)
    if case["api"] == "transcription":
        response = TranscriptionResponse(text="x")
        response.usage = usage
        response.duration = usage.get("seconds")
        return response
    if case["api"] == "rerank":
        return RerankResponse(id="1", results=[], meta=usage)
    if case["api"] == "realtime":
        details, outputs = usage["input_token_details"], usage["output_token_details"]
        counts = {"prompt_tokens": usage["input_tokens"], "total_tokens": usage["total_tokens"]}
        answered = {"completion_tokens": usage["output_tokens"]}
        both = {"prompt_tokens_details": details, "completion_tokens_details": outputs}
        return ModelResponse(model=model, usage=Usage(**counts, **answered, **both))
    reader = ProviderConfigManager.get_provider_chat_config(model, owner)
    assert reader is not None
    return reader.transform_response(
        model=model,
        raw_response=raw,
        model_response=ModelResponse(),
        logging_obj=log,
        request_data={},
        messages=[{"role": "user", "content": "x"}],
        optional_params={},
        litellm_params={},
        encoding=None,
    )


if __name__ == "__main__":
    main()
