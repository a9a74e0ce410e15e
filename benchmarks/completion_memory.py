"""What a first completion loads: modules, memory and time, in fresh processes."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from typing import Any

import peer

FIRST_CALL = """
import json, sys, time
def resident_mb():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024
marks = {"python_mb": resident_mb()}
started = time.perf_counter()
from MODULE import completion
marks["import_ms"] = (time.perf_counter() - started) * 1e3
marks["import_mb"] = resident_mb()
started = time.perf_counter()
reply = completion(
    "openai/gpt-4o", [{"role": "user", "content": "What is the capital of France?"}],
    base_url=URL, api_key="sk-benchmark",
)
assert reply.choices[0].message.content
marks["call_ms"] = (time.perf_counter() - started) * 1e3
marks["call_mb"] = resident_mb()
protocols = sys.modules.get("costspan.core.protocols")
known = set(protocols.COMPLETING.values()) if protocols else set()
loaded = {name.rpartition(".")[2] for name in sys.modules if name.startswith("costspan.core.")}
marks["protocols"] = sorted(known & loaded)
heavy = "duckdb tiktoken opentelemetry.sdk botocore pydantic openai"
marks["heavy"] = [name for name in heavy.split() if name in sys.modules]
if MODULE_NAME == "costspan":
    from costspan import estimate
    estimate(model="gpt-4o", messages=[{"role": "user", "content": "a text that is new"}])
    marks["vocabulary_mb"] = resident_mb()
print(json.dumps(marks))
"""
RUNS = 5
NO_VOCABULARY_MB = 60
WITH_VOCABULARY_MB = 120


def first_call(module: str, url: str) -> dict[str, Any]:
    """Medians of fresh processes that import a completion function and call it once."""
    code = (
        FIRST_CALL.replace("MODULE_NAME", repr(module))
        .replace("MODULE", module)
        .replace("URL", repr(f"{url}/1/v1"))
    )
    found = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as home:
            of_peer = module == "litellm"
            said = peer.last_line(["-c", code], peer=of_peer, COSTSPAN_HOME=home)
            found.append(json.loads(said))
    last = found[-1]
    numbers = {name for name, value in last.items() if isinstance(value, float)}
    return {**last, **{name: statistics.median(each[name] for each in found) for name in numbers}}


def memory_rows(url: str, *, with_peer: bool) -> Iterator[tuple[str, str, str, bool | None]]:
    """Lines of the table: what it is, what was measured, the limit and whether it holds."""
    modules = {"core": "costspan.core.completion", "metered": "costspan"}
    if with_peer:
        modules["litellm"] = "litellm"
    for name, module in modules.items():
        marks = first_call(module, url)
        call_mb = marks["call_mb"]
        ours = name != "litellm"
        yield (
            f"{name}: import of `completion`, and the first call",
            f"{marks['import_ms']:.0f} ms, {marks['call_ms']:.0f} ms",
            "",
            None,
        )
        yield (
            f"{name}: memory of Python, after the import, after one call",
            f"{marks['python_mb']:.0f}, {marks['import_mb']:.0f}, {call_mb:.0f} MB",
            f"{NO_VOCABULARY_MB} MB" if ours else "",
            call_mb < NO_VOCABULARY_MB if ours else None,
        )
        if "vocabulary_mb" in marks:
            yield (
                f"{name}: memory with the vocabulary",
                f"{marks['vocabulary_mb']:.0f} MB",
                f"{WITH_VOCABULARY_MB} MB",
                marks["vocabulary_mb"] < WITH_VOCABULARY_MB,
            )
        if ours:
            yield (
                f"{name}: wire formats and heavy modules that one call loads",
                ", ".join([*marks["protocols"], *marks["heavy"]]),
                "openai_chat",
                marks["protocols"] == ["openai_chat"],
            )
