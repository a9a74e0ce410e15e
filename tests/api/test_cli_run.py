"""``costspan run``: the program is what it was, and its calls are recorded, whoever makes them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import wire

from costspan.cli_run import AUTORUN, program_environment

if TYPE_CHECKING:
    from shell import Shell

    from tests.conftest import FrameServer

PYTHON = sys.executable
OURS = str(AUTORUN)


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "costspan", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def autorun(
    *arguments: str, python: str = PYTHON, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A program as ``costspan run`` starts it, without the time that this takes."""
    environ = program_environment({**os.environ, **environment})
    return subprocess.run(
        [python, *arguments], env=environ, capture_output=True, text=True, timeout=60
    )


HOOKED = "import sys; print([type(f).__name__ for f in sys.meta_path].count('ImportHook'))"


def test_the_program_is_what_it_was(home: Path) -> None:
    code = "import sys; print(sys.argv[1:], sys.stdin.read(), file=sys.stderr); sys.exit(7)"
    done = run(PYTHON, "-c", code, "-x", "--tags", "--help", "--", input="in")

    assert done.returncode == 7
    assert done.stderr == "['-x', '--tags', '--help', '--'] in\n"
    assert done.stdout == ""


def test_the_program_gets_the_signals(home: Path) -> None:
    code = "import os, signal, sys; print(os.getpid(), flush=True); signal.pause()"
    process = subprocess.Popen(
        [PYTHON, "-m", "costspan", "run", PYTHON, "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == -signal.SIGTERM
    process.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-program"], "no-such-program: no such command: give a program that is on PATH"),
        (["--tags", "team", "x"], "Invalid value for '--tags': 'team': write tags as name=value"),
        (["--config", "none.toml", "x"], "none.toml, which is no file: mend or unset it"),
        (["--tagz", "a=b", "x"], "No such option '--tagz'"),
        ([], "Missing argument 'COMMAND...'"),
    ],
)
def test_errors_are_said_before_it_starts(shell: Shell, arguments: list[str], said: str) -> None:
    result = shell("run", *arguments)

    assert result.code == 2
    assert said in result.err
    assert result.err.count("\n") == 1


def test_a_wrong_configuration_is_said_before_it_starts(shell: Shell) -> None:
    Path("costspan.toml").write_text("nope = 1")
    result = shell("run", PYTHON, "-c", "print('started')")

    assert result.code == 2
    assert "unknown key 'nope'" in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("before", "given", "after"),
    [
        ({}, {}, {"PYTHONPATH": OURS}),
        ({"PYTHONPATH": ""}, {}, {"PYTHONPATH": OURS}),
        ({"PYTHONPATH": "/a"}, {}, {"PYTHONPATH": os.pathsep.join((OURS, "/a"))}),
        # An empty part is the current folder.
        (
            {"PYTHONPATH": os.pathsep.join(("/a", ""))},
            {},
            {"PYTHONPATH": os.pathsep.join((OURS, "/a", ""))},
        ),
        # One ``costspan run`` within another.
        (
            {"PYTHONPATH": os.pathsep.join(("/a", OURS))},
            {},
            {"PYTHONPATH": os.pathsep.join((OURS, "/a"))},
        ),
        ({}, {"tags": "a=1"}, {"PYTHONPATH": OURS, "COSTSPAN_TAGS": "a=1"}),
        (
            {"COSTSPAN_TAGS": "a=1,b=2"},
            {"tags": "a=3"},
            {"PYTHONPATH": OURS, "COSTSPAN_TAGS": "a=1,b=2,a=3"},
        ),
        (
            {"COSTSPAN_HOME": "/x", "KEPT": "1"},
            {"home": "/tmp/../y", "config": "/c.toml"},
            {
                "PYTHONPATH": OURS,
                "COSTSPAN_HOME": "/y",
                "COSTSPAN_CONFIG": "/c.toml",
                "KEPT": "1",
            },
        ),
    ],
)
def test_environment(before: dict[str, str], given: dict[str, str], after: dict[str, str]) -> None:
    assert program_environment(before, **given) == after


def test_every_python_below_is_hooked(home: Path) -> None:
    code = f"{HOOKED}; import subprocess; subprocess.run([sys.executable, '-c', {HOOKED!r}])"
    done = autorun("-u", "-c", code)

    assert (done.stdout, done.stderr) == ("1\n1\n", "")


def test_disabled(home: Path) -> None:
    assert autorun("-c", HOOKED, COSTSPAN_DISABLED="1").stdout == "0\n"


@pytest.mark.parametrize("switch", ["-S", "-I", "-E"])
def test_switches_with_which_python_reads_none_of_it(home: Path, switch: str) -> None:
    assert autorun(switch, "-c", HOOKED).stdout == "0\n"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.theirs = __file__", ""),
        ("import sys; sys.theirs = 1; sys.path.append('/theirs')", ""),
        ("import sys; sys.theirs = 1; 1 / 0", "Error in sitecustomize; set PYTHONVERBOSE"),
        ("import sys; sys.theirs = 1; import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_the_sitecustomize_that_it_hides_runs(
    home: Path, tmp_path: Path, code: str, said: str
) -> None:
    """Debian's, a virtual environment's, coverage's: with its errors as without us."""
    (tmp_path / "sitecustomize.py").write_text(code)
    show = "import sys; print(bool(sys.theirs), sys.modules.get('sitecustomize') is not None)"
    done = autorun(
        "-c", f"{show}; print('/theirs' in sys.path); {HOOKED}", PYTHONPATH=str(tmp_path)
    )

    lines = done.stdout.splitlines()
    assert lines[0].startswith("True ")
    assert lines[1] == str("'/theirs'" in code)
    assert lines[2] == "1"
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)


def test_the_path_is_what_it_was(home: Path) -> None:
    show = "import sys; print(sys.path[1:])"
    paths = [
        [path for path in json.loads(done.stdout.replace("'", '"')) if path != OURS]
        for done in (
            autorun("-c", show),
            subprocess.run([PYTHON, "-c", show], capture_output=True, text=True),
        )
    ]

    assert paths[0] == paths[1]


def test_a_python_without_costspan_says_so_once(home: Path, tmp_path: Path) -> None:
    """Otherwise nothing would be recorded in silence."""
    venv.create(tmp_path / "other", symlinks=True)
    folder = "Scripts" if sys.platform == "win32" else "bin"
    python = str(tmp_path / "other" / folder / "python")
    code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', 'print(1)']))"
    done = autorun("-c", code, python=python)

    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.startswith(f"costspan: nothing is recorded: {python} cannot import costspan")
    assert done.stderr.count("\n") == 1


PROGRAM = """\
import os, subprocess, sys
import openai

client = openai.OpenAI()

def ask():
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])

ask()
if len(sys.argv) == 1:
    child = os.fork()
    if child == 0:
        ask()
        os._exit(0)
    os.waitpid(child, 0)
    subprocess.run([sys.executable, __file__, "child"], check=True)
client.close()
"""


INTERRUPTED = """\
import signal
import openai

stream = openai.OpenAI().chat.completions.create(
    model="gpt-4o", messages=[{"role": "user", "content": "hi"}], stream=True
)
signal.signal(signal.SIGALRM, signal.default_int_handler)
for chunk in stream:
    signal.setitimer(signal.ITIMER_REAL, 0.1)
"""


def test_a_program_ended_by_ctrl_c_ends_as_it_did(
    shell: Shell, home: Path, frame_server: FrameServer
) -> None:
    # The first call settles while the interrupt ends the program. What is imported then makes
    # Python 3.11 forget the interrupt: it would end with 1, and a loop of the shell would go on.
    frame_server.script("/v1/chat/completions", frames=wire.CHAT_STREAM, pause_s=10)
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": f"{frame_server.url}/v1",
        "OPENAI_API_KEY": "k",
    }
    done = run(PYTHON, "-c", INTERRUPTED, env=environment)

    assert done.returncode == -signal.SIGINT
    (call,) = json.loads(shell("calls", "--format", "json").out)
    assert call["status"] == "cancelled"


def test_calls_of_all_its_processes_are_recorded_once(
    shell: Shell, home: Path, tmp_path: Path, frame_server: FrameServer
) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": f"{frame_server.url}/v1",
        "OPENAI_API_KEY": "k",
        "COSTSPAN_TAGS": "team=search",
    }
    options = ["--tags", "env=prod", "--home", str(home)]
    done = run(*options, PYTHON, "-W", "error", str(program), env=environment)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(frame_server.requests) == 3
    calls = json.loads(shell("calls", "--format", "json").out)
    assert [call["tags"] for call in calls] == [{"team": "search", "env": "prod"}] * 3
