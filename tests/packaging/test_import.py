"""``import costspan`` is light: no heavy library, no socket, no output, no file written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("httpx", "httpx2", "duckdb", "tiktoken", "opentelemetry.sdk", "asyncio", "rich", "click")


def run(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={"HOME": str(cwd), "PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_import_loads_nothing_heavy_and_opens_no_socket(tmp_path: Path) -> None:
    code = f"""
import sys
sys.addaudithook(lambda name, args: name.startswith("socket.") and sys.exit("opened a socket"))
import costspan
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = run(code, tmp_path)

    assert done.stdout == "[]\n"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_application_never_imports_duckdb(tmp_path: Path) -> None:
    code = """
import sys, costspan
@costspan.wrap
def ask(model, messages):
    return {"model": model, "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 2}}
ask("gpt-4o", [{"role": "user", "content": "hi"}])
costspan.flush()
print([name for name in ("duckdb", "opentelemetry.sdk", "httpx") if name in sys.modules])
"""
    done = run(code, tmp_path, COSTSPAN_HOME=str(tmp_path / "home"))

    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_disabled_is_the_identity(tmp_path: Path) -> None:
    code = """
import costspan
def ask(model, messages): ...
assert costspan.wrap(ask) is ask
"""
    run(code, tmp_path, COSTSPAN_DISABLED="1", COSTSPAN_HOME=str(tmp_path / "home"))

    assert list(tmp_path.iterdir()) == []


def test_public_names_are_what_others_rely_on() -> None:
    import costspan

    promised = {
        "ConversationManager",
        "InMemoryExporter",
        "Meter",
        "acompletion",
        "completion",
        "estimate",
        "flush",
        "tags",
        "wrap",
    }
    assert promised <= set(costspan.__all__)
    assert all(hasattr(costspan, name) for name in costspan.__all__)
    assert sorted(costspan.__all__) == list(costspan.__all__)
