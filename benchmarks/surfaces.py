"""Who records what of the same 22 ways of calling OpenAI.

``python benchmarks/surfaces.py`` runs ours; with ``--peer`` OpenLLMetry, Langfuse and Logfire are
installed, each into an environment of its own below ``.venv-peers``, and run on the same server.
Nothing is sent anywhere: their spans stay in memory. A cell says what is not as it should be:
one record, the provider's tokens or else a count, an error where there was one, and the user's
own result with the type that it has without a recorder.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import surfaces_server
from surfaces_cases import CASES, Case
from surfaces_server import INPUT_TOKENS, OUTPUT_TOKENS

ROOT = Path(__file__).resolve().parents[1]
OPENAI = "openai==3.57.0"
PEERS = {
    "openllmetry": ("opentelemetry-instrumentation-openai==0.62.4", "opentelemetry-sdk==1.45.2"),
    "langfuse": ("langfuse==5.0.4",),
    "logfire": ("logfire==5.4.0", "genai-prices==0.2.3"),
}


def main() -> None:
    """Print the table."""
    names = ["costspan"]
    if "--peer" in sys.argv:
        for name, packages in PEERS.items():
            install(name, *packages)
            names.append(name)
    with surfaces_server.running() as url:
        bare = run("unwrapped", url)
        found = {name: run(name, url) for name in names}
    print("| | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 1))
    right = dict.fromkeys(names, 0)
    for number, case in enumerate(CASES):
        cells = [faults(case, found[name][number], bare[number]) or "right" for name in names]
        print(f"| {case.name} | " + " | ".join(cells) + " |")
        for name, cell in zip(names, cells, strict=True):
            right[name] += cell == "right"
    print(f"| right, of {len(CASES)} | " + " | ".join(map(str, right.values())) + " |")
    priced = [sum(any(r["cost"] for r in each["records"]) for each in found[n]) for n in names]
    print("| with a cost, of 21 answered | " + " | ".join(map(str, priced)) + " |")


def install(name: str, *packages: str) -> None:
    """Install a peer and the SDK into an environment of its own."""
    python = python_of(name)
    uv = [sys.executable, "-m", "uv"]
    if not python.exists():
        folder = str(python.parents[1])
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    command = [*uv, "pip", "install", "--quiet", "--python", str(python), OPENAI, *packages]
    subprocess.run(command, check=True)


def python_of(name: str) -> Path:
    """The interpreter that a recorder runs in."""
    return ROOT / ".venv-peers" / name / "bin/python" if name in PEERS else Path(sys.executable)


def run(name: str, url: str) -> list[dict[str, Any]]:
    """Run all cases under one recorder, in a process of its own."""
    worker = Path(__file__).with_name("surfaces_worker.py")
    command = [str(python_of(name)), str(worker), name, url]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def faults(case: Case, got: dict[str, Any], bare: dict[str, Any]) -> str:
    """What is not as it should be.

    Args:
        case: The way of calling.
        got: What the user got under the recorder, and the records.
        bare: What the user got without.
    """
    records = got["records"]
    found = []
    if len(records) != 1:
        found.append(f"{len(records) or 'no'} record{'s' * (len(records) > 1)}")
    if records and (wrong := _tokens(case, records)):
        found.append(wrong)
    if records and case.wrong and not any(r["status"] == "error" for r in records):
        found.append(f"status {records[-1]['status']}")
    for kind, former in zip(got["kinds"], bare["kinds"], strict=False):
        if kind != former:
            found.append(f"type `{kind.rpartition('.')[2]}`")
    if got["text"] != bare["text"]:
        found.append("another result")
    return ", ".join(found)


def _tokens(case: Case, records: list[dict[str, Any]]) -> str:
    """What is wrong with the tokens; a refused request used none."""
    known = [(r["input"], r["output"]) for r in records if r["input"] is not None]
    if not known:
        return "" if case.behaviour == "refuse" else "no tokens"
    if not case.told or known[0] == (INPUT_TOKENS, OUTPUT_TOKENS):
        return ""
    embedded = case.name == "embeddings" and known[0] in ((INPUT_TOKENS, None), (INPUT_TOKENS, 0))
    return "" if embedded else f"tokens {known[0]}"


if __name__ == "__main__":
    main()
