"""The demo: real calls to a real model, and what its ledger holds afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from costspan import local_model


def costspan_command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "costspan", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )


def report(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = costspan_command(
        "report", *arguments, "--format", "json", "--home", ".costspan-demo", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_it_runs_and_its_ledger_holds_every_call_once(tmp_path: Path) -> None:
    """One test, for the calls of the demo take many seconds."""
    demo = costspan_command("demo", cwd=tmp_path)

    assert (demo.returncode, demo.stderr) == (0, "")
    for said in (
        "priced as if they were openai/gpt-4.1-mini",
        "est → real",
        "Spend by model",
        "Spend by tag:feature",
        "Estimates against the truth",
        "The ledger lies in",
        "calls --home .costspan-demo",
    ):
        assert said in demo.stdout
    by_status = {row["status"]: row["calls"] for row in report(tmp_path, "--by", "status")}
    assert by_status == {"ok": 10, "error": 1, "interrupted": 1}

    (row,) = report(tmp_path, "--by", "model")
    assert row["model"] == local_model.MODEL
    assert row["unpriced_calls"] == 0  # the one that failed was refused: nothing to pay
    # gpt-4.1-mini: $0.40 in, $0.10 cached, $1.60 out per million tokens.
    cached = row["cache_read_tokens"] or 0
    fresh = row["input_tokens"] - cached
    expected = (fresh * 40 + cached * 10 + row["output_tokens"] * 160) / 100_000_000
    assert float(row["cost_usd"]) == pytest.approx(expected, abs=1e-9)


def test_without_the_extra_it_says_in_one_line_what_to_install(tmp_path: Path) -> None:
    code = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "xllamacpp" else real(name, *a)
from costspan import demo
sys.exit(demo.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "xllamacpp not installed" in done.stderr
    assert "pip install 'costspan[demo]'" in done.stderr
    assert list(tmp_path.iterdir()) == []
