"""A function that is run as AWS Lambda runs it: frozen in between, and killed in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from shell import Shell

FUNCTION = """\
import json, sys
import costspan

def model(model, messages):
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return {"id": messages[0]["content"], "model": model, "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": "SECRET"}}], "usage": usage}

ask = costspan.wrap(model)

def handler(event):
    print("a line of the user's own")
    for number in range(event["calls"]):
        ask(model="gpt-4o", messages=[{"role": "user", "content": str(number)}])
    return "done"

# What the runtime does: one event after another, for as long as it is let live.
print("ready", file=sys.stderr, flush=True)
for line in sys.stdin:
    print(f"START RequestId: {line.strip()}", flush=True)
    result = handler(json.loads(line))
    print("END RequestId", flush=True)
    print(result, file=sys.stderr, flush=True)
"""


class Sandbox:
    """One execution environment."""

    def __init__(self, folder: Path, **environment: str) -> None:
        # No folder of its own can be made under its home; only /tmp can be written.
        self.tmp = folder / "tmp"
        self.tmp.mkdir()
        self._log = open(folder / "log", "wb")  # noqa: SIM115, closed by kill
        self._path = folder / "log"
        ours = {name: value for name, value in os.environ.items() if "COSTSPAN" not in name}
        ours.pop("XDG_DATA_HOME", None)
        self._process = subprocess.Popen(
            [sys.executable, "-c", FUNCTION],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**ours, "HOME": os.devnull, "TMPDIR": str(self.tmp), **environment},
        )
        self.said = self._until("ready")

    def invoke(self, calls: int) -> None:
        """One event; afterwards it is frozen until the next."""
        self._process.send_signal(signal.SIGCONT)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"calls": calls}) + "\n")
        self._process.stdin.flush()
        self.said += self._until("done")
        self._process.send_signal(signal.SIGSTOP)

    def warning(self) -> str:
        """Let it go on until it warns of something."""
        self._process.send_signal(signal.SIGCONT)
        assert self._process.stderr is not None
        return self.said or self._process.stderr.readline()

    def kill(self) -> bytes:
        """End it while it is frozen, as is done with one that is idle; give its log."""
        self._process.kill()
        self._process.communicate()
        self._log.close()
        return self._path.read_bytes()

    def _until(self, word: str) -> str:
        assert self._process.stderr is not None
        said = ""
        while (line := self._process.stderr.readline()) and line.strip() != word:
            said += line
        assert line
        return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of one sandbox."""
    (tmp_path / "sandbox").mkdir()
    return tmp_path / "sandbox"


def test_every_call_is_in_the_log_and_comes_in_once(
    folder: Path, shell: Shell, home: Path, tmp_path: Path
) -> None:
    (folder / "costspan.toml").write_text('exporters = ["jsonlines"]\n')
    sandbox = Sandbox(folder)
    for calls in (1, 3, 2):
        sandbox.invoke(calls)
    log = sandbox.kill()

    assert b"SECRET" not in log
    assert list(sandbox.tmp.iterdir()) == []
    assert sandbox.said == ""
    # As CloudWatch gives the lines back: each with its time, in an export that overlaps.
    lines = [b"2026-11-25T09:00:00.000Z " + line for line in log.splitlines()]
    (tmp_path / "1.log").write_bytes(b"\n".join(lines[:9]))
    (tmp_path / "2.log").write_bytes(b"\n".join(lines[4:]))

    # Three lines of the runtime's and the user's for each of three events; 4 of the first 9 lines
    # are calls, and lines 5 to 9 stand in both files.
    shell("import", "1.log")
    shell("import", "2.log")

    (row,) = json.loads(shell("report", "--format", "json").out)
    # 6 calls of 100 x 2.50 + 20 x 10 a million.
    assert (row["calls"], row["cost_usd"]) == (6, "0.0027")
    assert len(log.splitlines()) == 6 + 9


def test_without_it_the_ledger_is_in_the_sandbox_and_is_warned_of(folder: Path) -> None:
    sandbox = Sandbox(folder)
    sandbox.invoke(2)
    warning = sandbox.warning()
    log = sandbox.kill()

    assert warning.startswith("The ledger goes to ")
    assert "COSTSPAN_HOME" in warning
    assert b"call_id" not in log
    assert [path.name.startswith("costspan-") for path in sandbox.tmp.iterdir()] == [True]
