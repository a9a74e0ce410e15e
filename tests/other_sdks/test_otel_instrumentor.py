"""``opentelemetry-instrument python app.py``: one span and one record of each call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
import wire
from shell import Shell

import costspan
from costspan.middleware.adapters import adapter_of
from costspan.otel_instrumentor import CostspanInstrumentor

if TYPE_CHECKING:
    from tests.conftest import FrameServer

PROGRAM = """\
import openai
with openai.OpenAI() as client:
    client.chat.completions.create(model="gpt-4o", messages=[])
"""
INSTRUMENT = str(Path(sys.executable).with_name("opentelemetry-instrument"))
RUN = (sys.executable, "-m", "costspan", "run")


class Program:
    """Runs the program in a process of its own, as its commands say."""

    def __init__(self, folder: Path, url: str, shell: Shell) -> None:
        self._folder = folder
        self._shell = shell
        self._environ = {
            **os.environ,
            "COSTSPAN_AUTOMERGE": "0",
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "k",
            "OTEL_TRACES_EXPORTER": "console",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }

    def start(self, *command: str, **environment: str) -> tuple[list[Any], int]:
        """Run it; the spans that its SDK printed, and the number of recorded calls."""
        program = self._folder / "program.py"
        program.write_text(PROGRAM)
        done = subprocess.run(
            [*command, sys.executable, str(program)],
            cwd=self._folder,
            env={**self._environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        said = self._shell("calls", "--format", "json")
        calls = len(json.loads(said.out)) if said.code == 0 else 0
        return list(documents(done.stdout)), calls


@pytest.fixture
def program(
    tmp_path: Path,
    frame_server: FrameServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Program:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    for name in [name for name in os.environ if "COSTSPAN" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COSTSPAN_HOME", str(tmp_path / "home"))
    return Program(tmp_path, frame_server.url, Shell(capsys))


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The JSON documents that the console exporter printed one after another."""
    decoder, position = json.JSONDecoder(), 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        found, position = decoder.raw_decode(text, position)
        yield found


@pytest.mark.parametrize(
    "command",
    [(INSTRUMENT,), (*RUN, INSTRUMENT), (INSTRUMENT, *RUN)],
    ids=["alone", "in run", "around run"],
)
def test_one_span_and_one_record(program: Program, command: tuple[str, ...]) -> None:
    """Also where both ways are taken at once."""
    spans, calls = program.start(*command)

    assert [span["name"] for span in spans] == ["chat gpt-4o"]
    assert spans[0]["attributes"]["gen_ai.usage.input_tokens"] == 1000
    assert calls == 1


def test_switched_off(program: Program) -> None:
    switch = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "costspan"}
    spans, calls = program.start(INSTRUMENT, **switch)

    assert (spans, calls) == ([], 0)


def test_a_wrong_configuration_keeps_nobody_from_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("costspan.toml").write_text("nope = 1")
    instrumentor = CostspanInstrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()

    assert "unknown key 'nope'" in caplog.text


def test_it_is_undone(frame_server: FrameServer) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    memory = costspan.InMemoryExporter()
    instrumentor = CostspanInstrumentor()
    instrumentor.instrument(meter=costspan.Meter(exporters=[memory]))
    with openai.OpenAI(api_key="k", base_url=f"{frame_server.url}/v1") as client:
        client.chat.completions.create(model="gpt-4o", messages=[])
        instrumentor.uninstrument()
        client.chat.completions.create(model="gpt-4o", messages=[])
        adapter = adapter_of(client)
        assert adapter is not None
        assert not adapter.is_attached(client)

    assert len(memory.calls) == 1
