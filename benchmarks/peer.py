"""The peers that benchmarks measure beside us: an environment of their own, and code run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-peer/bin/python"
LITELLM = "litellm==1.110.2"
GENAI_PRICES = "genai-prices==0.2.3"


def install(*packages: str) -> None:
    """Install peers into ``.venv-peer``, which is made if it is not there.

    Args:
        packages: Requirements, such as `LITELLM`.
    """
    if not PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PYTHON.parents[1])], check=True)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON)]
    subprocess.run([*command, *packages], check=True)


def last_line(command: list[str], *, peer: bool, stdin: str = "", **env: str) -> str:
    """Run Python in a new process and give the last line that it prints.

    Args:
        command: What follows ``python``, such as ``["-c", code]``.
        peer: Whether it runs in the peers' environment instead of ours.
        stdin: What it reads.
        env: More environment variables.
    """
    done = subprocess.run(
        [str(PYTHON) if peer else sys.executable, *command],
        # Without it LiteLLM fetches its price map from the network when it is imported.
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **env},
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1]
