"""Tests that need other SDKs than the newest: each environment runs its own part."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {
    # openai 1 and anthropic 0, which speak through httpx
    ".venv-older-sdks": [
        "--ignore=tests/middleware/adapters",  # which need SDKs that are not here
        "tests/middleware",
        "tests/sdks/test_openai.py",
        "tests/other_sdks/test_anthropic_0.py",
    ],
    # litellm, any-llm, groq, ollama, LangChain, anthropic 0; web frameworks, Celery, Jupyter; and
    # aiohttp, which google-genai takes where it is, and is warned of the use it makes of it.
    # LiteLLM and LangChain leave their sockets open.
    ".venv-other-sdks": [
        "--numprocesses=2",
        "-Wignore:Inheritance class:DeprecationWarning",
        "-Wignore:unclosed:ResourceWarning",
        "tests/other_sdks",
        "tests/sdks/test_google_genai.py",
        "tests/middleware/adapters/test_google_genai.py",
        "tests/sdks/test_bedrock.py",
        "tests/sdks/test_anthropic_variants.py",
    ],
}


@pytest.mark.services
@pytest.mark.parametrize("environment", OPTIONS)
def test_in_an_environment_of_its_own(environment: str) -> None:
    python = ROOT / environment / "bin/python"
    assert python.exists(), "run scripts/install-services first"
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *OPTIONS[environment]],
        cwd=ROOT,
        # or LiteLLM tries for many seconds to fetch its prices
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
        timeout=900,
    )

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
