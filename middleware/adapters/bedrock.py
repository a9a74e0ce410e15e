"""The ``bedrock-runtime`` client of boto3: one method through which all of its operations go.

The methods of a client are generated and all end in ``client._make_api_call``, which has no public
name: the public events (``before-call``, ``after-call``) see neither what is raised before and
after the request nor the moment in which the user has the result, and others are told of them.
Checked with botocore 1.44 (2026-11); tests/sdks/test_bedrock.py holds the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from costspan.core.protocols.bedrock_invoke import API as INVOKE
from costspan.middleware.adapters.bedrock_streams import watch_event_stream, watch_streaming_body
from costspan.middleware.adapters.patching import is_replaced, replace, restore
from costspan.middleware.functions import watch_function
from costspan.middleware.live import LiveCall
from costspan.middleware.meter import MeterSource
from costspan.middleware.request import AskedCall, RequestReader, from_wire
from costspan.middleware.seeing import see_retries, see_value

SERVICE = "bedrock-runtime"
_CONVERSE = frozenset(("Converse", "ConverseStream"))
_INVOKE = frozenset(("InvokeModel", "InvokeModelWithResponseStream"))
_STREAMING = frozenset(("ConverseStream", "InvokeModelWithResponseStream"))
_PARAMS = {"temperature": "temperature", "topP": "top_p", "maxTokens": "max_tokens"}
_API_OF_MAKER = {"anthropic.": "messages", "amazon.nova": "converse", "openai.": "chat"}
"""Part of a model's id -> the format that its InvokeModel bodies have; others have their own."""


def fits(target: Any) -> bool:
    """Whether an object is a client of Bedrock's runtime, and not of another service of AWS."""
    model = getattr(vars(target).get("meta"), "service_model", None)
    return getattr(model, "service_name", None) == SERVICE


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a client in place."""
    watched = watch_function(client._make_api_call, meter, _reader(client), look=_watch)
    replace(client, client, "_make_api_call", watched)


detach = restore
is_attached = is_replaced


def watch_bound(function: Any, meter: MeterSource) -> Any:
    """Watch one method of a client; it is watched already where the client is."""
    client = function.__self__
    if is_attached(client):
        return function
    operation, read = client.meta.method_to_api_mapping.get(function.__name__), _reader(client)
    return watch_function(
        function, meter, lambda args, kwargs: read((operation, kwargs), {}), look=_watch
    )


def _reader(client: Any) -> RequestReader:
    base_url, region = client.meta.endpoint_url, client.meta.region_name

    def read(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> AskedCall | None:
        """What is asked for; None for operations that bring no completion."""
        operation, arguments = args
        if operation in _CONVERSE:
            asked = _asked_to_converse(arguments, base_url)
        elif operation in _INVOKE:
            asked = _asked_to_invoke(arguments, base_url)
        else:
            return None
        return asked._replace(
            provider="aws",
            streaming=operation in _STREAMING,
            context={**asked.context, "region": region} if region else asked.context,
        )

    return read


def _asked_to_converse(arguments: Mapping[str, Any], base_url: str) -> AskedCall:
    tier = arguments.get("serviceTier")
    inference = arguments.get("inferenceConfig")
    body = {
        **arguments,
        "model": arguments.get("modelId"),
        "service_tier": tier.get("type") if isinstance(tier, dict) else None,
    }
    asked = from_wire("converse", body, base_url, "aws", cloud="aws")
    if not isinstance(inference, dict):
        return asked
    params = {name: inference[key] for key, name in _PARAMS.items() if key in inference}
    return asked._replace(params={**asked.params, **params})


def _asked_to_invoke(arguments: Mapping[str, Any], base_url: str) -> AskedCall:
    model = arguments.get("modelId")
    body = {
        **_json(arguments.get("body")),
        "model": model,
        "service_tier": arguments.get("serviceTier"),
    }
    return from_wire(_api_of(str(model)), body, base_url, "aws", cloud="aws")


def _api_of(model: str) -> str:
    if "embed" in model:
        return "embeddings"
    return next((api for part, api in _API_OF_MAKER.items() if part in model), INVOKE)


def _json(body: object) -> dict[str, Any]:
    """The body of InvokeModel; nothing of a file, which is the user's to read."""
    if not isinstance(body, (str, bytes, bytearray)):
        return {}
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}


def _watch(call: LiveCall, result: Any) -> Any:
    """Attach to the dict that an operation returned, which the user gets as it is."""
    if call.guarded("watch a result", _take, call, result) is None:
        call.end("value")
    return result


def _take(call: LiveCall, result: dict[str, Any]) -> bool:
    see_retries(call, result)
    metadata = result.get("ResponseMetadata", {})
    call.seen.response_id = metadata.get("RequestId")
    tier = result.get("serviceTier")
    if isinstance(tier, str):  # InvokeModel tells it in a header
        call.seen.response["serviceTier"] = {"type": tier}
    if "stream" in result:  # ConverseStream
        watch_event_stream(call, result["stream"])
    elif "body" not in result:  # Converse
        see_value(call, result)
        call.end("value")
    elif call.asked.streaming:
        watch_event_stream(call, result["body"])
    else:
        watch_streaming_body(call, result["body"], metadata.get("HTTPHeaders", {}))
    return True
