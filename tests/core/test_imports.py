"""A call loads the wire format that it speaks, and no other: in a fresh process for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from streams import BODIES, RECORDED

if TYPE_CHECKING:
    from tests.conftest import FrameServer

PREFIX = "costspan.core.protocols."
SHARED = {"alternating_turns", "extra_body", "message_parts", "neutral", "unsupported"}
"""What several wire formats are made with."""

OWN: dict[str, tuple[str, ...]] = {
    "chat": ("openai_chat", "openai_request"),
    "messages": ("anthropic_", "claude_"),
    "responses": ("openai_responses", "responses_"),
    "gemini": ("gemini",),
    "cohere": ("cohere_",),
    "ollama": ("ollama",),
    # Bedrock holds schemas to the same keywords as Anthropic, and has the same Claudes.
    "converse": ("bedrock_converse", "converse_", "anthropic_schema", "claude_"),
}
"""How the modules of a wire format begin."""

HEAVY = {"botocore", "duckdb", "opentelemetry.sdk", "pydantic", "tenacity", "numpy"}
"""Libraries that an answered call has no use for."""

CODE = """
import json, sys
from costspan import completion
before = sorted(sys.modules)
model, base_url, arguments = json.loads(sys.argv[1])
found = completion(model, [{"role": "user", "content": "Hello"}], base_url=base_url, api_key="k",
                   **arguments)
if arguments["stream"]:
    list(found)
    found = found.reply
print(json.dumps([before, sorted(sys.modules), found.choices[0].message.content]))
"""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", OWN)
def test_a_call_loads_its_own_wire_format_only(
    name: str, stream: bool, frame_server: FrameServer, tmp_path: Path
) -> None:
    recorded = RECORDED[name]
    if stream:
        headers = {"content-type": recorded.content_type}
        frame_server.script(recorded.path, headers=headers, frames=recorded.frames)
    else:
        path = recorded.path.replace(":streamGenerate", ":generate").removesuffix("-stream")
        frame_server.json(path, BODIES[name])
    arguments = {**recorded.arguments, "stream": stream}
    asked = [recorded.model, frame_server.url + recorded.base, arguments]

    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(asked)],
        env={**os.environ, "HOME": str(tmp_path), "COSTSPAN_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    before, after, content = json.loads(done.stdout)
    assert "Größe" in content
    assert [module for module in before if module.startswith(PREFIX)] == []
    assert "httpx" not in before
    loaded = {each.removeprefix(PREFIX) for each in after if each.startswith(PREFIX)} - SHARED
    assert loaded
    assert {each for each in loaded if not each.startswith(OWN[name])} == set()
    # The frames of a stream from AWS are read by botocore.
    allowed = {"botocore"} if name == "converse" and stream else set()
    assert (HEAVY - allowed).isdisjoint(after)
