"""The tests of the wrapper under the older generation of the SDKs, which speak through httpx."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-older-sdks/bin/python"


@pytest.mark.services
def test_wrapped_clients_of_openai_1_and_anthropic_0() -> None:
    assert PYTHON.exists(), "run scripts/install-services first"
    done = subprocess.run(
        [str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/middleware"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout
