"""Runs the surfaces' cases under one recorder, in the environment of that recorder.

``python surfaces_worker.py CANDIDATE URL`` prints one JSON line: for each case what the user got,
and the records that were made of it.
"""

from __future__ import annotations

import gc
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from surfaces_cases import CASES, run

Client = Callable[[Any], Any]
KEY = "sk-benchmark"
_LANGFUSE_USAGE = "langfuse.observation.usage_details"
_LANGFUSE_COST = "langfuse.observation.cost_details"
_INPUT = ("gen_ai.usage.input_tokens", "input_tokens", "prompt_tokens", "input")
_OUTPUT = ("gen_ai.usage.output_tokens", "output_tokens", "completion_tokens", "output")
_COST = ("operation.cost", "gen_ai.usage.cost", "total", "cost")
"""Names under which the recorders keep tokens and dollars."""


class Recorder(NamedTuple):
    """What watches.

    Attributes:
        sync, asynchronous: The client classes.
        watch: Prepares a client.
        take: Gives the records since it was last asked: ``input``, ``output``, ``cost``,
            ``status``.
    """

    sync: Any
    asynchronous: Any
    watch: Client
    take: Callable[[], list[dict[str, Any]]]


def same(client: Any) -> Any:
    """Nothing is to be prepared."""
    return client


def unwrapped() -> Recorder:
    """No recorder: what the others are compared with."""
    import openai

    return Recorder(openai.OpenAI, openai.AsyncOpenAI, same, list)


def costspan() -> Recorder:
    """Ours."""
    import openai

    from costspan import InMemoryExporter, Meter, wrap

    memory = InMemoryExporter()
    meter = Meter(exporters=[memory])

    def take() -> list[dict[str, Any]]:
        meter.flush()
        calls = memory.calls
        memory.clear()
        return [_of_ours(call) for call in calls]

    return Recorder(openai.OpenAI, openai.AsyncOpenAI, lambda c: wrap(c, meter=meter), take)


def _of_ours(call: Any) -> dict[str, Any]:
    usage = call.usage
    return {
        "input": usage.input_tokens if usage else None,
        "output": usage.output_tokens if usage else None,
        "cost": call.cost_usd is not None,
        "status": "error" if call.status in ("error", "cancelled") else "ok",
    }


def openllmetry() -> Recorder:
    """OpenLLMetry: it patches the SDK's classes."""
    import openai
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider()
    take = _spans_of(provider.add_span_processor)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return Recorder(openai.OpenAI, openai.AsyncOpenAI, same, take)


def langfuse() -> Recorder:
    """Langfuse: client classes of its own."""
    from langfuse import Langfuse
    from langfuse.openai import AsyncOpenAI, OpenAI
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider, memory = TracerProvider(), InMemorySpanExporter()
    keys = {"public_key": "pk-lf-benchmark", "secret_key": "sk-lf-benchmark"}
    client = Langfuse(
        **keys, base_url="http://127.0.0.1:9", tracer_provider=provider, span_exporter=memory
    )

    def take() -> list[dict[str, Any]]:
        client.flush()
        return _taken(memory)

    return Recorder(OpenAI, AsyncOpenAI, same, take)


def logfire() -> Recorder:
    """Logfire: it patches each client."""
    import logfire as module
    import openai

    processors: list[Any] = []
    take = _spans_of(processors.append)
    module.configure(
        send_to_logfire=False,
        console=False,
        additional_span_processors=processors,
        inspect_arguments=False,
    )

    def watch(client: Any) -> Any:
        module.instrument_openai(client)
        return client

    return Recorder(openai.OpenAI, openai.AsyncOpenAI, watch, take)


def _spans_of(add: Callable[[Any], None]) -> Callable[[], list[dict[str, Any]]]:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    add(SimpleSpanProcessor(memory))
    return lambda: _taken(memory)


def _taken(memory: Any) -> list[dict[str, Any]]:
    found = [_of_span(span) for span in memory.get_finished_spans()]
    memory.clear()
    return found


def _of_span(span: Any) -> dict[str, Any]:
    said = dict(span.attributes or {})
    for details in (_LANGFUSE_USAGE, _LANGFUSE_COST):
        said.update(json.loads(str(said.pop(details, "{}"))) or {})
    return {
        "input": next((said[name] for name in _INPUT if name in said), None),
        "output": next((said[name] for name in _OUTPUT if name in said), None),
        "cost": any(said.get(name) for name in _COST),
        "status": span.status.status_code.name.lower(),
    }


RECORDERS = {each.__name__: each for each in (unwrapped, costspan, openllmetry, langfuse, logfire)}


def main(name: str, url: str) -> None:
    """Run the cases, and print what came of them."""
    warnings.simplefilter("ignore")
    recorder = RECORDERS[name]()
    found = []
    for case in CASES:
        make = recorder.asynchronous if case.is_async else recorder.sync
        base = f"{url}/{case.behaviour}/v1"
        client = recorder.watch(make(api_key=KEY, base_url=base, max_retries=case.retries))
        try:
            got = run(case, client)._asdict()
        except Exception as error:  # a peer's: it is what its user would get
            got = {"kinds": [type(error).__name__], "text": "raised"}
        del client
        gc.collect()
        found.append({**got, "records": recorder.take()})
    print(json.dumps(found), flush=True)


if __name__ == "__main__" and len(sys.argv) == 3:
    main(*sys.argv[1:])
