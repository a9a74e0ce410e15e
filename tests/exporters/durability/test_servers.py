"""Real web servers with several workers: forked, recycled, killed and reloaded."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wire

if TYPE_CHECKING:
    from tests.conftest import FrameServer
    from tests.exporters.durability.conftest import Start

Stored = Callable[[], dict[str, list[int]]]
Until = Callable[[Callable[[], object]], None]
Query = Callable[[str], list[tuple[Any, ...]]]

FOLDER = Path(__file__).parent


@pytest.fixture
def provider(frame_server: FrameServer) -> str:
    """Where a real HTTP server plays the provider."""
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    return f"{frame_server.url}/v1"


@pytest.fixture
def port() -> int:
    """A free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def get(port: int, who: str, number: int) -> int:
    """Ask for one call to be made; the process id of the worker that made it."""
    url = f"http://127.0.0.1:{port}/{who}/{number}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return int(answer.read())


def get_all(port: int, who: str, numbers: range) -> set[int]:
    """Ask four at a time for one call a number; the workers that made them."""
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        return set(executor.map(lambda number: get(port, who, number), numbers))


def is_up(port: int) -> bool:
    """Whether the server listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def stop(server: subprocess.Popen[str]) -> None:
    """End a server as its supervisor does, and see that it ends well and soon."""
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=30)
    assert server.returncode in (0, -signal.SIGTERM)


def errors(tmp_path: Path) -> str:
    """What the programs that were started said on their error output."""
    return "".join(path.read_text() for path in sorted(tmp_path.glob("errors-*.txt")))


@pytest.fixture
def gunicorn(
    start: Start, provider: str, port: int, until: Until, tmp_path: Path
) -> Callable[..., Any]:
    """Starts gunicorn with two workers that are forked when the application has been loaded."""
    settings = tmp_path / "settings.py"
    # It would lie in the user's home; a gunicorn that has none passes over the name.
    settings.write_text("control_socket_disable = True\n")

    def run(*arguments: str) -> Any:
        server = start(
            *("-m", "gunicorn", "--preload", "--workers", 2, "--bind", f"127.0.0.1:{port}"),
            *("--config", settings, "--chdir", FOLDER, *arguments, "web:wsgi"),
            PROVIDER_URL=provider,
        )
        until(lambda: is_up(port))
        return server

    return run


def test_gunicorn_with_a_preloaded_application(
    gunicorn: Any, port: int, stored: Stored, query: Query, tmp_path: Path
) -> None:
    """urban-toolkit/curio#316, frappe/builder#644: HTTP 200, nothing stored, dead workers."""
    server = gunicorn()
    workers = get_all(port, "sdk", range(20)) | get_all(port, "function", range(20))
    before = stored()
    stop(server)

    assert before == {
        "import": [server.pid],
        "sdk": list(range(20)),
        "function": list(range(20)),
    }
    assert stored() == before
    assert {pid for (pid,) in query("SELECT DISTINCT pid FROM calls")} == {server.pid, *workers}
    assert server.pid not in workers
    said = errors(tmp_path)
    assert "SIGSEGV" not in said
    assert "Traceback" not in said


def test_gunicorn_replaces_workers_after_some_requests(
    gunicorn: Any, port: int, stored: Stored, home: Path
) -> None:
    server = gunicorn("--max-requests", "5")
    workers = get_all(port, "sdk", range(20))
    stop(server)

    assert len(workers) > 2
    assert stored()["sdk"] == list(range(20))
    assert not list((home / "spool").iterdir())


def test_gunicorn_workers_that_are_killed(
    gunicorn: Any, port: int, stored: Stored, until: Until
) -> None:
    server = gunicorn()
    first = get_all(port, "function", range(20))
    for worker in first:
        os.kill(worker, signal.SIGKILL)
    until(lambda: first.isdisjoint({_worker(port)}))
    second = get_all(port, "function", range(20, 40))
    stop(server)

    assert first.isdisjoint(second)
    assert stored()["function"] == list(range(40))


def _worker(port: int) -> int | None:
    """Who answers now; None when the one that was to answer has just been killed."""
    with suppress(OSError):
        return get(port, "probe", 0)
    return None


def test_uvicorn_with_two_workers(
    start: Start, provider: str, port: int, until: Until, stored: Stored
) -> None:
    server = start(
        *("-m", "uvicorn", "--app-dir", FOLDER, "--port", port, "--workers", 2, "web:asgi"),
        PROVIDER_URL=provider,
    )
    until(lambda: is_up(port))
    until(lambda: len(stored().get("import", [])) == 2)
    get_all(port, "sdk", range(20))
    get_all(port, "function", range(20))
    before = stored()
    stop(server)

    assert before["sdk"] == before["function"] == list(range(20))
    assert stored() == before


def test_uvicorn_reloads(
    start: Start, provider: str, port: int, until: Until, stored: Stored, tmp_path: Path
) -> None:
    """duckdb/duckdb#13079: with reload=True two processes have the application imported."""
    folder = tmp_path / "application"
    folder.mkdir()
    shutil.copy(FOLDER / "web.py", folder)
    server = start(
        *("-m", "uvicorn", "--app-dir", folder, "--reload-dir", folder, "--port", port),
        *("--reload", "--reload-delay", "0.05", "web:asgi"),
        PROVIDER_URL=provider,
    )
    until(lambda: len(stored().get("import", [])) == 1 and _worker(port))
    first = get_all(port, "function", range(10))

    with open(folder / "web.py", "a") as source:
        source.write("# changed\n")
    until(lambda: len(stored()["import"]) == 2 and _worker(port) not in {None, *first})
    second = get_all(port, "function", range(10, 20))
    stop(server)

    assert first.isdisjoint(second)
    assert stored()["function"] == list(range(20))
