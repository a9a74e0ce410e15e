"""Metered structured output: the schema counts in the estimate, and the record says JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic
import wire

import costspan
from costspan.pricing.types import Estimate

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]


class Person(pydantic.BaseModel):
    name: str
    age: int


def test_the_schema_of_a_model_class_counts_in_the_estimate(frame_server: FrameServer) -> None:
    choice = {"index": 0, "message": {"content": '{"name": "Ann", "age": 5}'}}
    body = {**wire.CHAT_BODY, "choices": [{**choice, "finish_reason": "stop"}]}
    frame_server.json("/v1/chat/completions", body)
    memory = costspan.InMemoryExporter()
    meter = costspan.Meter(exporters=[memory])
    arguments: dict[str, Any] = {"base_url": f"{frame_server.url}/v1", "api_key": "k"}

    reply = costspan.completion(
        "openai/gpt-4o", HI, response_format=Person, meter=meter, **arguments
    )

    assert reply.parsed == Person(name="Ann", age=5)
    # Eight tokens without the schema, which is 180 characters of JSON.
    assert isinstance(reply.estimate, Estimate)
    assert reply.estimate.input_tokens.likely > 30
    assert memory.calls[0].request_params["output_type"] == "json"
    assert "name" not in str(memory.calls[0].request_params), "a schema is content"
