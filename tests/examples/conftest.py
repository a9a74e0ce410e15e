"""Examples are run as a newcomer runs them: by the interpreter, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from costspan import local_model

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Run: TypeAlias = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs an example with all providers at an address, and gives what it printed."""

    def run_example(
        name: str, *arguments: str, url: str, status: int = 0, **environment: str
    ) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                "COSTSPAN_HOME": str(tmp_path / "home"),
                "OPENAI_BASE_URL": f"{url}/v1",
                "OPENAI_API_KEY": "k",
                "ANTHROPIC_BASE_URL": url,
                "ANTHROPIC_API_KEY": "k",
                "GEMINI_BASE_URL": url,
                "GEMINI_API_KEY": "k",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=240,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    return run_example


@pytest.fixture(scope="session")
def local_url() -> Iterator[str]:
    """A real small model on loopback, started once."""
    with local_model.serve() as url:
        yield url
