"""Real servers, workers and notebooks under zero code: no call is lost and none counts twice."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import nbclient
import nbformat
import pytest
import wire
from jupyter_client.manager import start_new_kernel

if TYPE_CHECKING:
    from tests.conftest import FrameServer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
RUN = (sys.executable, "-m", "costspan", "run")
CHAT = "/v1/chat/completions"


class Place:
    """A folder of one's own: the ledger, the provider, and the programs that are started there."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if "COSTSPAN" not in name},
            "COSTSPAN_HOME": str(folder / "home"),
            "COSTSPAN_AUTOMERGE": "0",
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "k",
            "EXAMPLE_BROKER": str(folder / "broker"),
            "EXAMPLE_BIND": f"127.0.0.1:{self.port}",
        }

    def run(self, *command: str, **environment: str) -> str:
        """Run a program to its end; what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextmanager
    def running(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program that is ended by SIGTERM, as a supervisor would."""
        log = self.folder / "log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self.environment, **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        except BaseException:
            print(log.read_text())
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def get(self, path: str, user: str = "") -> str:
        """Ask the server, as soon as it listens."""
        self.until(self.listens)
        headers = {"X-User": user} if user else {}
        with urlopen(Request(f"{self.address}{path}", headers=headers), timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def listens(self) -> bool:
        """Whether the server can be reached."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def calls(self) -> list[dict[str, Any]]:
        """All recorded calls, newest first."""
        command = ("-m", "costspan", "calls", "-n", "1000", "--format", "json")
        found: list[dict[str, Any]] = json.loads(self.run(sys.executable, *command))
        return found

    def tags(self) -> list[dict[str, str]]:
        """The tags of all recorded calls, sorted; all calls went well."""
        calls = self.calls()
        assert {call["status"] for call in calls} <= {"ok"}
        return sorted((call["tags"] or {} for call in calls), key=json.dumps)

    def until(self, condition: Callable[[], bool], timeout_s: float = 60) -> None:
        """Wait for something to come true."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.fixture
def place(tmp_path: Path, frame_server: FrameServer) -> Place:
    """A folder with a provider that answers."""
    frame_server.json(CHAT, wire.CHAT_BODY)
    return Place(tmp_path, frame_server.url)


def uvicorn(place: Place, *options: str) -> tuple[str, ...]:
    module = ("-m", "uvicorn", "--port", str(place.port), "--app-dir", str(EXAMPLES))
    return (sys.executable, *module, *options)


def test_fastapi(place: Place, frame_server: FrameServer) -> None:
    with place.running(*RUN, *uvicorn(place, "13_fastapi:app")):
        assert place.get("/ask?question=Why", user="anna") == '"One two three."'
        frame_server.reset()
        frame_server.script(CHAT, frames=wire.CHAT_STREAM)
        assert place.get("/stream?question=Why") == "One two three."

    assert place.tags() == [
        {"route": "/ask", "user": "anna"},
        {"route": "/stream", "user": "nobody"},
    ]


THREADS = """\
from importlib import import_module
import openai
from fastapi import BackgroundTasks

app = import_module("13_fastapi").app
client = openai.OpenAI()

def call():
    client.chat.completions.create(model="gpt-4o", messages=[])

@app.get("/threads")
def threads(background: BackgroundTasks):
    call()
    background.add_task(call)
"""


def test_fastapi_in_threads_and_in_the_background(place: Place) -> None:
    (place.folder / "threads.py").write_text(THREADS)
    examples = {"PYTHONPATH": os.pathsep.join((str(EXAMPLES), str(place.folder)))}
    with place.running(*RUN, *uvicorn(place, "threads:app"), **examples):
        place.get("/threads", user="anna")

    assert place.tags() == [{"route": "/threads", "user": "anna"}] * 2


def test_a_user_who_leaves_in_the_midst_of_a_stream(
    place: Place, frame_server: FrameServer
) -> None:
    frame_server.reset()
    frame_server.script(CHAT, frames=wire.CHAT_STREAM, pause_s=1)
    with place.running(*RUN, *uvicorn(place, "13_fastapi:app")):
        place.until(place.listens)
        with urlopen(f"{place.address}/stream?question=Why", timeout=60) as answer:
            assert answer.read(3) == b"One"
        assert frame_server.wait_hung_up(timeout_s=30)

    (call,) = place.calls()
    assert (call["status"], call["tags"]["route"]) == ("cancelled", "/stream")


def test_uvicorn_that_reloads(place: Place) -> None:
    app = place.folder / "app.py"
    text = (EXAMPLES / "13_fastapi.py").read_text()
    app.write_text(text)
    command = [*uvicorn(place)[:-1], str(place.folder), "--reload", "app:app"]
    with place.running(*RUN, *command):
        place.get("/ask?question=Why")
        time.sleep(1)  # its files are looked at by their times
        app.write_text(text.replace('"nobody"', '"new"').replace('b"new"', 'b"new"'))
        log = place.folder / "log"
        place.until(lambda: log.read_text().count("Started server process") == 2)
        place.get("/ask?question=Why")

    assert [tags["user"] for tags in place.tags()] == ["new", "nobody"]


@pytest.mark.parametrize("server", ["runserver", "gunicorn"])
def test_django(place: Place, server: str) -> None:
    """Its own server reloads, so it starts itself anew; gunicorn's workers are forks."""
    program = {
        "runserver": (str(EXAMPLES / "14_django.py"), "runserver", str(place.port)),
        "gunicorn": (
            *("-m", "gunicorn", "--chdir", str(EXAMPLES), "-w", "2"),
            *("-b", f"127.0.0.1:{place.port}", "14_django:application"),
        ),
    }[server]
    with place.running(*RUN, sys.executable, *program):
        for user in ("anna", "bert"):
            assert "One two three." in place.get("/ask?question=Why", user=user)

    assert place.tags() == [{"route": "/ask", "user": user} for user in ("anna", "bert")]


ASYNC = """\
from importlib import import_module
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.urls import path
import openai

async def call(request):
    async with openai.AsyncOpenAI() as client:
        await client.chat.completions.create(model="gpt-4o", messages=[])
    return HttpResponse("done")

import_module("14_django").urlpatterns.append(path("async", call))
application = get_asgi_application()
"""


def test_asynchronous_views_of_django(place: Place) -> None:
    (place.folder / "views.py").write_text(ASYNC)
    examples = {"PYTHONPATH": os.pathsep.join((str(EXAMPLES), str(place.folder)))}
    with place.running(*RUN, *uvicorn(place, "views:application"), **examples):
        assert place.get("/async", user="anna") == "done"

    assert place.tags() == [{"route": "/async", "user": "anna"}]


def test_celery(place: Place, frame_server: FrameServer) -> None:
    celery = (sys.executable, "-m", "celery", "--workdir", str(EXAMPLES), "-A", "15_celery")
    worker = ("worker", "--concurrency", "2", "--without-gossip", "--without-mingle")
    place.run(sys.executable, str(EXAMPLES / "15_celery.py"), *"abcdef")
    with place.running(*RUN, *celery, *worker):
        place.until(lambda: len(frame_server.requests) == 6)

    assert place.tags() == [{"task": "ask"}] * 6


@pytest.mark.parametrize("run", [(), RUN], ids=["instrument", "run"])
def test_gunicorn(place: Place, frame_server: FrameServer, run: tuple[str, ...]) -> None:
    """The configuration instruments; under ``costspan run`` that is twice, and a call once."""
    gunicorn = (sys.executable, "-m", "gunicorn", "--chdir", str(EXAMPLES))
    config = str(EXAMPLES / "16_gunicorn.py")
    with place.running(*run, *gunicorn, "--config", config, "16_gunicorn:app"):
        for number in range(10):
            assert place.get(f"/{number}") == "One two three."

    assert place.tags() == [{"route": f"/{number}"} for number in range(10)]
    assert len(frame_server.requests) == 10


def notebook(code: str) -> Any:
    """What an editor makes of a script with cells."""
    cells = re.split(r"^# %%.*\n", code.partition('"""\n')[2], flags=re.MULTILINE)[1:]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def printed(executed: Any) -> list[str]:
    return [output["text"] for cell in executed.cells for output in cell.outputs]


def test_jupyter(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real kernel; every cell is run twice, as people do."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    made = notebook((EXAMPLES / "17_jupyter.py").read_text())
    made.cells += notebook((EXAMPLES / "17_jupyter.py").read_text()).cells
    nbclient.NotebookClient(made, timeout=60, kernel_name="python3").execute()

    # gpt-4o-2024-08-06: 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per million tokens.
    answer, cost, report = printed(made)[:3]
    assert (answer, cost) == ("One two three.\n", "0.003000000000\n")
    assert report == "sky 1 0.003\n"
    assert printed(made)[-1] == "sky 2 0.006\n"
    assert place.tags() == [{"notebook": "sky", "step": "question"}] * 2


def test_jupyter_under_run(place: Place) -> None:
    """A kernel that is started by what ``costspan run`` started needs no word in its cells."""
    code = "import openai; openai.OpenAI().chat.completions.create(model='gpt-4o', messages=[])"
    start = (
        "import nbclient, nbformat; "
        f"cell = nbformat.v4.new_code_cell({code!r}); "
        "made = nbformat.v4.new_notebook(cells=[cell]); "
        "nbclient.NotebookClient(made, kernel_name='python3').execute()"
    )
    place.run(*RUN, sys.executable, "-c", start)

    assert place.tags() == [{}]


def test_a_cell_that_is_interrupted(place: Place, frame_server: FrameServer) -> None:
    frame_server.reset()
    frame_server.script(CHAT, delay_s=60)
    manager, client = start_new_kernel(env=place.environment)
    try:
        code = "import costspan; costspan.instrument()\nimport openai\n"
        client.execute(
            f"{code}openai.OpenAI().chat.completions.create(model='gpt-4o', messages=[])"
        )
        place.until(lambda: len(frame_server.requests) == 1)
        manager.interrupt_kernel()
        assert client.get_shell_msg(timeout=60)["content"]["ename"] == "KeyboardInterrupt"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    assert [call["status"] for call in place.calls()] == ["cancelled"]


CHILDREN = """\
import multiprocessing, os, subprocess, sys
import openai

def ask(n):
    with openai.OpenAI() as client:
        client.chat.completions.create(model="gpt-4o", messages=[])

if __name__ == "__main__":
    ask(0)
    if len(sys.argv) == 1:
        for method in ("fork", "spawn", "forkserver"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                pool.map(ask, range(4))
        subprocess.run([sys.executable, __file__, "child"], check=True)
"""


def test_children_of_all_kinds(place: Place, frame_server: FrameServer) -> None:
    program = place.folder / "children.py"
    program.write_text(CHILDREN)
    place.run(*RUN, "--tags", "job=children", sys.executable, str(program))

    assert len(frame_server.requests) == 14
    assert place.tags() == [{"job": "children"}] * 14


def test_ten_processes_at_once(place: Place, frame_server: FrameServer) -> None:
    program = place.folder / "children.py"
    program.write_text(CHILDREN)
    processes = [
        subprocess.Popen(
            [*RUN, "--tags", f"n={n}", sys.executable, str(program), "child"],
            env=place.environment,
        )
        for n in range(10)
    ]

    assert [process.wait(120) for process in processes] == [0] * 10
    assert place.tags() == [{"n": str(n)} for n in range(10)]


def test_the_notes_show_what_the_examples_do() -> None:
    """Each snippet of docs/frameworks.md stands in an example that is run here."""
    page = (ROOT / "docs/frameworks.md").read_text(encoding="utf-8")
    snippets = re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    examples = "\n".join(path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.py"))

    assert snippets
    assert [snippet for snippet in snippets if snippet not in examples] == []
