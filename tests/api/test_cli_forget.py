"""``costspan ledger forget``: what it says, asks and refuses."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shell import Shell

import costspan
from costspan.exporters.ledger.read import open_ledger
from costspan.middleware.hashing import TagHasher

KEY = "0123456789abcdef"


def ask(model: str) -> dict[str, object]:
    """A completion function: 8 x $2.50 + 2 x $10 per million tokens are $0.00004."""
    return {"model": model, "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 2}}


@pytest.fixture
def people(home: Path) -> Path:
    """A ledger with two calls of alice's and one of bob's, recorded by a program that has ended."""
    return recorded(home)


def recorded(home: Path, hashed: tuple[str, ...] = ()) -> Path:
    meter = costspan.Meter(home=home, exporters=["ledger"], hashed_tags=hashed)
    wrapped = costspan.wrap(ask, meter=meter)
    for user in ("alice", "bob", "alice"):
        with costspan.tags(user=user, session_id=f"talk of {user}"):
            wrapped("gpt-4o")
    meter.close()
    return home


def calls(home: Path) -> int:
    with open_ledger(home) as reader:
        ((number,),) = reader.execute("SELECT count(*) FROM calls").rows
    assert isinstance(number, int)
    return number


def at_terminal(answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run the command at a terminal and type an answer; its exit code and output."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "costspan", "ledger", "forget", *arguments]
    process = subprocess.Popen(words, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer)
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, out.decode()


def test_a_dry_run_says_how_many_of_how_much_and_when(shell: Shell, people: Path) -> None:
    said = shell("ledger", "forget", "--where", "user=alice", "--dry-run")

    first, second = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert first == f"2 calls of $0.00008000 in {people}."
    assert second.startswith("The first began at 20")
    assert calls(people) == 3


def test_yes_erases_and_names_the_copies(shell: Shell, people: Path) -> None:
    said = shell("ledger", "forget", "--where", "user=alice", "--yes")

    assert (said.code, said.err) == (0, "")
    assert "Erased 2 calls, 0 lines in the spool, 0 in the quarantine.\n" in said.out
    for copy in ("backups", "Parquet", "other hosts", "JSON lines", "OpenTelemetry", "snapshots"):
        assert copy in said.out
    assert calls(people) == 1


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 1), (b"n\n", 3), (b"\n", 3)])
def test_at_a_terminal_it_asks(people: Path, answer: bytes, left: int) -> None:
    code, out = at_terminal(answer, "--where", "user=alice")

    assert code == 0
    assert "Erase them for good? [y/N]" in out
    assert ("Nothing was erased." in out) == (left == 3)
    assert calls(people) == left


def test_without_a_terminal_it_refuses(
    shell: Shell, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        said = shell("ledger", "forget", "--where", "user=alice")

    assert said.code == 2
    assert said.err == "costspan: nobody can be asked here: say --yes to erase them\n"
    assert calls(people) == 3


@pytest.mark.parametrize("where", ["user=carol", "tag:session=talk of bob", "x=\x1b[31m"])
def test_nothing_found_is_said(shell: Shell, people: Path, where: str) -> None:
    said = shell("ledger", "forget", "--where", where, "--yes")

    shown = where.replace("\x1b", "\\x1b")
    assert (said.code, said.out, said.err) == (0, f"Nothing of {shown} in {people}.\n", "")


def test_of_what_is_not_found_the_unreachable_is_named_still(shell: Shell, people: Path) -> None:
    newer = people / "spool" / "host.1.0123456789ab.000000.v99.seg"
    newer.write_bytes(b'{"who": "carol"}\n')

    said = shell("ledger", "forget", "--where", "user=carol", "--yes")

    assert said.out.splitlines()[1] == f"Left alone, look at it yourself: {newer}"


def test_a_folder_without_a_ledger(shell: Shell, home: Path) -> None:
    said = shell("ledger", "forget", "--where", "user=alice", "--yes")

    assert (said.code, said.out) == (0, f"Nothing of user=alice in {home}.\n")


@pytest.mark.parametrize(
    ("wheres", "erased"),
    [
        (["session_id=talk of bob"], 1),
        (["session=talk of alice"], 2),
        (["tag:user=alice"], 2),
        (["user=alice", "session=talk of alice"], 2),
    ],
)
def test_whose_calls(shell: Shell, people: Path, wheres: list[str], erased: int) -> None:
    words = [word for where in wheres for word in ("--where", where)]

    assert f"Erased {erased} call" in shell("ledger", "forget", *words, "--yes").out
    assert calls(people) == 3 - erased


@pytest.mark.parametrize("where", ["user", "=alice", "user=", "tag:=alice"])
def test_what_is_no_name_and_value(shell: Shell, people: Path, where: str) -> None:
    said = shell("ledger", "forget", "--where", where, "--yes")

    assert said.code == 2
    assert f"--where '{where}': give NAME=VALUE, for instance user=42 (see: " in said.err


class TestHashed:
    """The value of a hashed tag is given plain, and looked for by its hash."""

    @pytest.fixture
    def setting(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Sets the configuration and the key."""

        def put(configured: str, key: str | None) -> None:
            (tmp_path / "costspan.toml").write_text(configured)
            if key is None:
                monkeypatch.delenv("COSTSPAN_HASH_KEY", raising=False)
            else:
                monkeypatch.setenv("COSTSPAN_HASH_KEY", key)

        return put

    @pytest.mark.parametrize("configured", ['hashed_tags = ["user", "session_id"]', ""])
    @pytest.mark.parametrize("where", ["user=alice", "tag:user=alice", "session=talk of alice"])
    def test_by_the_plain_value(
        self, shell: Shell, home: Path, setting: Callable[..., None], configured: str, where: str
    ) -> None:
        setting(configured, KEY)
        recorded(home, ("user", "session_id"))

        said = shell("ledger", "forget", "--where", where, "--yes")

        tag = "user" if "user" in where else "session_id"
        hashed = TagHasher([], KEY.encode()).hashed(tag, where.partition("=")[2])
        assert said.out.startswith(f"Also looked for: {hashed}, which stands for it where {tag} is")
        assert "Erased 2 calls" in said.out

    def test_what_was_recorded_before_it_was_hashed_goes_too(
        self, shell: Shell, home: Path, setting: Callable[..., None]
    ) -> None:
        setting("", KEY)
        recorded(home)
        recorded(home, ("user",))

        assert "Erased 4 calls" in shell("ledger", "forget", "--where", "user=alice", "--yes").out

    def test_without_the_key_it_says_what_is_missing(
        self, shell: Shell, people: Path, setting: Callable[..., None]
    ) -> None:
        setting('hashed_tags = ["user"]', None)

        said = shell("ledger", "forget", "--where", "user=alice", "--yes")

        assert said.code == 2
        assert "the values of user are hashed: set COSTSPAN_HASH_KEY to the key that" in said.err

    def test_the_hash_itself_needs_no_key(
        self, shell: Shell, home: Path, setting: Callable[..., None]
    ) -> None:
        setting("", KEY)
        recorded(home, ("user",))
        setting('hashed_tags = ["user"]', None)
        hashed = TagHasher([], KEY.encode()).hashed("user", "alice")

        said = shell("ledger", "forget", "--where", f"user={hashed}", "--yes")

        assert "Erased 2 calls" in said.out
