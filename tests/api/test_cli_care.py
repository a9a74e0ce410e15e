"""``costspan ledger``: the commands that look after a ledger, on a real one."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import pytest
from shell import Said, Shell

from costspan.cli_progress import progress
from costspan.core.types import Usage
from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.budgets import BudgetWindow, register
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.read import open_ledger
from costspan.middleware.record import Call, ProviderRequest
from costspan.pricing.types import Cost

OLD = datetime(2025, 3, 1, 12, tzinfo=UTC)
NEW = datetime(2025, 9, 1, 12, tzinfo=UTC)
COMMANDS = (
    ("info",),
    ("check",),
    ("repair",),
    ("backup", "copy.duckdb"),
    ("export", "--parquet", "parquet"),
    ("prune", "--older-than", "1d", "--yes"),
)


def made(number: int, at: datetime, usd: str | None = "0.25", model: str = "gpt-x") -> Call:
    """A call of some cost."""
    cost = Cost(Decimal(usd), "reported") if usd else Cost(None, "unpriced")
    usage = Usage({"tokens.in.text": 100})
    request = ProviderRequest("openai", "chat", model, model, at, at, usage, cost)
    return Call(UUID(int=number), "chat", (request,), at, at, 1_500_000, "ok", "value")


def record(home: Path, *calls: Call) -> None:
    """Bring calls into the spool of a home, as an application does."""
    exporter = LedgerExporter(resolve_home(home))
    for call in calls:
        exporter.finish(call)
    exporter.close()


def calls_in(home: Path) -> list[int]:
    """The numbers of the calls in a ledger."""
    with open_ledger(home) as reader:
        rows = reader.execute("SELECT call_id FROM calls ORDER BY 1").rows
    return [UUID(str(call_id)).int for (call_id,) in rows]


@pytest.fixture
def filled(home: Path) -> Path:
    """Three old calls of 50 cents and one of unknown cost, and a newer one of a dollar."""
    record(home, made(1, OLD), made(2, OLD + timedelta(days=1)), made(3, OLD, None))
    record(home, made(4, NEW, "1"))
    return home


class TestInfo:
    """What a ledger holds."""

    def test_for_people(self, shell: Shell, filled: Path) -> None:
        merge(filled)

        said = shell("ledger", "info")

        assert (said.code, said.err) == (0, "")
        lines = said.out.splitlines()
        assert lines[0] == f"folder       {filled}"
        assert lines[1].startswith("database     4 calls in ")
        assert lines[2] == "calls        from 2025-03-01 12:00:00 UTC to 2025-09-01 12:00:00 UTC"
        assert lines[3].startswith("schema       version 2, file format v1.5.0")
        assert "spool        0 segments, 0 of running processes; nothing to merge" in lines
        assert [line.split() for line in lines[-4:] if line[0].isdigit()] == [
            ["2025-03", "3", "██████████", "$0.5000", "1", "!"],
            ["2025-09", "1", "███▍", "$1.0000", "0"],
        ]

    def test_for_programs(self, shell: Shell, filled: Path) -> None:
        merge(filled)

        found = json.loads(shell("ledger", "info", "--format", "json").out)

        assert found["calls"] == 4
        assert found["first_call_at"] == "2025-03-01T12:00:00Z"
        assert found["months"][0] == {
            "month": "2025-03",
            "calls": 3,
            "cost_usd": "0.5",
            "unpriced_calls": 1,
        }
        assert (found["spool_oldest_at"], found["spool_waiting_bytes"]) == (None, 0)

    def test_before_the_first_merge(self, shell: Shell, filled: Path) -> None:
        said = shell("ledger", "info").out

        assert "database     none yet: it is made by the first report or merge" in said
        assert "2 segments, 0 of running processes; to merge: " in said
        assert json.loads(shell("ledger", "info", "--format", "json").out)["calls"] == 0

    def test_of_a_hostile_folder(self, shell: Shell, tmp_path: Path) -> None:
        folder = tmp_path / "a\x1b[2Jb"
        record(folder, made(1, OLD))

        assert "a\\x1b[2Jb" in shell("ledger", "info", "--home", str(folder)).out


class TestCheck:
    """Whether a ledger is whole."""

    def test_a_sound_one(self, shell: Shell, filled: Path) -> None:
        merge(filled)

        said = shell("ledger", "check")

        assert (said.code, said.err) == (0, "")
        assert all(line.startswith("ok       ") for line in said.out.splitlines())

    def test_a_finding_is_the_exit_code(self, shell: Shell, filled: Path) -> None:
        merge(filled)
        with duckdb.connect(str(filled / "ledger.duckdb")) as connection:
            connection.execute("INSERT INTO calls SELECT * FROM calls LIMIT 1")

        said = shell("ledger", "check")

        assert said.code == 1
        assert "error    1 call with the id of another.\n         -> Put a backup" in said.out


class TestRepair:
    """A ledger that cannot be opened."""

    def test_nothing_to_repair(self, shell: Shell, filled: Path) -> None:
        said = shell("ledger", "repair")
        assert said == Said(
            0, "Merged from the spool: 4 calls.\nNothing to repair: the ledger has 4 calls.\n", ""
        )

    def test_a_damaged_log(self, shell: Shell, filled: Path) -> None:
        merge(filled)
        database = filled / "ledger.duckdb"
        code = (
            "import duckdb, os, signal\n"
            f"c = duckdb.connect({str(database)!r})\n"
            "c.execute(\"INSERT INTO migrations SELECT 2, 'x', NULL FROM range(500)\")\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
        log = database.with_name("ledger.duckdb.wal")
        content = bytearray(log.read_bytes())
        content[len(content) // 2] ^= 0xFF
        log.write_bytes(content)
        told = shell("report")
        assert (told.code, told.out) == (2, "")
        assert "`costspan ledger repair --home" in told.err

        said = shell("ledger", "repair")

        (aside,) = filled.glob("*.damaged-*")
        assert (said.code, said.err) == (0, "")
        assert said.out.splitlines() == [
            f"Set aside, damaged: {aside}.",
            "The ledger has 4 calls and can be used.",
            "Missing may be what was written last and never was in the spool: imported calls, and "
            "costs that were priced again. Import and reprice again.",
        ]
        assert shell("report").code == 0

    def test_a_damaged_database(self, shell: Shell, filled: Path) -> None:
        merge(filled)
        (filled / "ledger.duckdb").write_bytes(b"no database" * 1000)

        refused = shell("ledger", "repair")
        assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert "Put a backup in its place" in refused.err

        said = shell("ledger", "repair", "--new")
        (aside,) = filled.glob("*.damaged-*")
        assert said.out.splitlines() == [
            f"Set aside, damaged: {aside}.",
            "Begun: a new ledger, of 0 calls. What the old one held is in the file set aside.",
        ]

    def test_leftovers(self, shell: Shell, filled: Path) -> None:
        (filled / "ledger.duckdb.new.1").write_text("half")
        assert "Removed: 1 file that killed processes left half made." in (
            shell("ledger", "repair").out
        )


class TestBackup:
    """A copy of the ledger."""

    def test_it_is_a_ledger(self, shell: Shell, filled: Path, tmp_path: Path) -> None:
        said = shell("ledger", "backup", "copy.duckdb")

        assert (said.code, said.err) == (0, "")
        assert said.out.startswith("Copied 4 calls (")
        assert said.out.endswith(") into copy.duckdb.\n")
        restored = tmp_path / "restored"
        restored.mkdir()
        (tmp_path / "copy.duckdb").rename(restored / "ledger.duckdb")
        here, there = (shell("report", "--home", str(home)).out for home in (filled, restored))
        assert here == there

    def test_it_is_put_back_as_the_docs_say(
        self, shell: Shell, filled: Path, tmp_path: Path
    ) -> None:
        merge(filled)
        shell("ledger", "backup", "ledger.duckdb")
        record(filled, made(5, NEW))
        (filled / "ledger.duckdb").write_bytes(b"no database" * 1000)
        page = (Path(__file__).parents[2] / "docs" / "care.md").read_text("utf-8")
        steps = page.split("To put a backup back")[1].split("```sh\n")[1].split("```")[0]
        steps = steps.replace("/backup", str(tmp_path)).replace("costspan merge", "")

        subprocess.run(["sh", "-c", steps], check=True, capture_output=True)

        assert calls_in(filled) == [1, 2, 3, 4, 5]
        assert os.listdir(filled / "aside") == ["ledger.duckdb"]

    def test_while_a_notebook_reads(self, shell: Shell, filled: Path) -> None:
        merge(filled)
        record(filled, made(5, NEW))
        with duckdb.connect(str(filled / "ledger.duckdb"), read_only=True):
            said = shell("ledger", "backup", "copy.duckdb")

        assert said.out.splitlines()[0].startswith("Copied 5 calls")
        assert "With 1 call of the spool that could not be merged into the ledger" in said.out

    def test_what_is_left_out_is_said(self, shell: Shell, filled: Path) -> None:
        merge(filled)
        segment = filled / "spool" / "host.1.0123456789ab.000000.v1.seg"
        segment.write_bytes(b"{damaged\n")
        with duckdb.connect(str(filled / "ledger.duckdb"), read_only=True):
            said = shell("ledger", "backup", "copy.duckdb")
        assert said.err == "costspan: 1 damaged record left out; see: costspan doctor\n"

    def test_a_file_that_exists(self, shell: Shell, filled: Path, tmp_path: Path) -> None:
        (tmp_path / "copy.duckdb").write_text("precious")

        said = shell("ledger", "backup", "copy.duckdb")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "say --force to replace it" in said.err

        assert shell("ledger", "backup", "copy.duckdb", "--force").code == 0


class TestExport:
    """Parquet files of the calls."""

    def test_files_by_month(self, shell: Shell, filled: Path, tmp_path: Path) -> None:
        said = shell("ledger", "export", "--parquet", "out")

        assert (said.code, said.err) == (0, "")
        assert said.out.startswith("Wrote 4 calls as 2 files (")
        assert sorted(os.listdir(tmp_path / "out")) == ["month=2025-03", "month=2025-09"]

    def test_a_period(self, shell: Shell, filled: Path, tmp_path: Path) -> None:
        said = shell(
            "ledger", "export", "--parquet", "out", "--since", "2025-03-02", "--until", "2025-09-01"
        )
        assert said.out.startswith("Wrote 1 call as 1 file (")

        said = shell("ledger", "export", "--parquet", "none", "--since", "2026-01-01")
        assert said == Said(0, "No calls in that period: nothing was written.\n", "")
        assert not (tmp_path / "none").exists()


class TestPrune:
    """Old calls, removed."""

    def test_a_dry_run_removes_nothing(self, shell: Shell, filled: Path) -> None:
        said = shell("ledger", "prune", "--older-than", "2025-06-01", "--dry-run")

        lines = said.out.splitlines()
        assert (said.code, said.err, len(lines)) == (0, "", 3)
        assert lines[0] == (
            "3 calls of $0.5000, 1 of them unpriced: older than 2025-06-01 00:00:00 UTC."
        )
        assert lines[1] == (
            "The first began at 2025-03-01 12:00:00 UTC, the last at 2025-03-02 12:00:00 UTC."
        )
        assert lines[2].startswith("Removing them frees about ")
        assert calls_in(filled) == [1, 2, 3, 4]

    def test_it_is_done(self, shell: Shell, filled: Path) -> None:
        said = shell("ledger", "prune", "--older-than", "2025-06-01", "--yes")

        assert said.out.splitlines()[3].startswith("Removed 3 calls, kept 1; freed ")
        assert calls_in(filled) == [4]
        assert shell("ledger", "prune", "--older-than", "2025-06-01").out == (
            "No calls are older than 2025-06-01 00:00:00 UTC: nothing to remove.\n"
        )

    def test_nobody_can_be_asked(
        self, shell: Shell, filled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with open(os.devnull) as nothing:
            monkeypatch.setattr("sys.stdin", nothing)
            said = shell("ledger", "prune", "--older-than", "2025-06-01")

        assert said.code == 2
        assert said.err == "costspan: nobody can be asked here: say --yes to remove them\n"
        assert calls_in(filled) == [1, 2, 3, 4]

    @pytest.mark.parametrize(("answer", "left"), [("y\n", [4]), ("n\n", [1, 2, 3, 4])])
    def test_it_asks_on_a_terminal(self, filled: Path, answer: str, left: list[int]) -> None:
        master, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "costspan", "ledger", "prune", "--older-than", "2025-06-01"],
            stdin=terminal,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(terminal)
        os.write(master, answer.encode())
        out, _ = process.communicate(timeout=30)
        os.close(master)

        assert process.returncode == 0
        assert "Remove them for good? [y/N]: " in out
        assert ("Removed 3 calls" in out) == (answer == "y\n")
        assert ("Nothing was removed." in out) == (answer == "n\n")
        assert calls_in(filled) == left

    def test_calls_of_open_budget_windows_stay(self, shell: Shell, home: Path) -> None:
        now = datetime.now(UTC)
        record(home, made(1, now - timedelta(days=20)), made(2, now - timedelta(days=40)))
        register(home, BudgetWindow("team", per=timedelta(days=30)))

        said = shell("ledger", "prune", "--older-than", "10d", "--yes")

        assert "Kept: 1 older call, of budget windows that are still open.\n" in said.out
        assert calls_in(home) == [1]

    def test_a_length_that_is_none(self, shell: Shell, filled: Path) -> None:
        said = shell("ledger", "prune", "--older-than", "old")

        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "--older-than 'old' is not understood" in said.err


@pytest.mark.parametrize("command", COMMANDS)
class TestBadPlaces:
    """Each says in one line what is wrong and what to do, with exit code 2."""

    def _refused(self, shell: Shell, command: tuple[str, ...]) -> str:
        said = shell("ledger", *command)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
        return said.err

    def test_nothing_is_recorded(self, shell: Shell, home: Path, command: tuple[str, ...]) -> None:
        assert "Wrap a call with costspan" in self._refused(shell, command)
        assert not home.exists()

    def test_the_home_is_a_file(self, shell: Shell, home: Path, command: tuple[str, ...]) -> None:
        home.write_text("a file")
        said = self._refused(shell, command)
        assert f"{home} is not a folder. Name a folder" in said

    def test_another_program_writes(
        self, shell: Shell, filled: Path, command: tuple[str, ...]
    ) -> None:
        merge(filled)
        with duckdb.connect(str(filled / "ledger.duckdb")):
            said = self._refused(shell, command)
        assert f"process {os.getpid()}" in said

    def test_the_ledger_is_a_folder(
        self, shell: Shell, home: Path, command: tuple[str, ...]
    ) -> None:
        (home / "ledger.duckdb").mkdir(parents=True)
        if command == ("check",):
            said = shell("ledger", *command)
            assert said.code == 1
            found = said.out
        else:
            found = self._refused(shell, command)
        assert "ledger.duckdb is damaged: it is a folder, not a file." in found
        assert "costspan ledger repair --new" in found


def can_mount() -> bool:
    """Whether this process may mount: root may, where its container lets it."""
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], check=False).returncode == 0


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write into the folder, not even root, who needs a mount for it."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


if can_mount() or os.geteuid() != 0:

    def test_a_folder_that_can_only_be_read(shell: Shell, filled: Path, tmp_path: Path) -> None:
        """What only reads works, from the spool too; what writes says why it cannot."""
        merge(filled)
        record(filled, made(5, NEW))
        with read_only(filled):
            assert shell("ledger", "info").code == 0
            assert shell("ledger", "check").code == 0
            assert shell("ledger", "backup", "copy.duckdb").out.startswith("Copied 5 calls")
            assert shell("ledger", "export", "--parquet", "out").out.startswith("Wrote 5 calls")
            for command in (("repair",), ("prune", "--older-than", "2025-06-01", "--yes")):
                said = shell("ledger", *command)
                assert (said.code, said.err.count("\n")) == (2, 1)
                assert f"The ledger {filled}/ledger.duckdb cannot be written: " in said.err
                assert "give this user access" in said.err
        assert calls_in(filled) == [1, 2, 3, 4, 5]


if can_mount():

    def test_a_disk_without_room_for_a_second_ledger(
        shell: Shell, filled: Path, tmp_path: Path
    ) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
        try:
            merge(filled)
            (filled / "ledger.duckdb").rename(tmp_path / "ledger.duckdb")
            shutil.copy(tmp_path / "ledger.duckdb", disk)
            size = (disk / "ledger.duckdb").stat().st_size
            (disk / "ballast").write_bytes(bytes((2 << 20) - size - (1 << 17)))
            (tmp_path / "ledger.duckdb").rename(filled / "ledger.duckdb")

            prune = ("prune", "--older-than", "2025-03-01T13:00", "--yes", "--home", str(disk))
            for command in (prune, ("backup", str(disk / "copy.duckdb"))):
                said = shell("ledger", *command)
                assert (said.code, said.err.count("\n")) == (2, 1)
                assert "Make room, and try again. Nothing has been changed." in said.err
            assert calls_in(disk) == [1, 2, 3, 4]
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


def test_progress_is_for_terminals_and_for_what_takes_long(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("removing"):
        pass
    assert capfd.readouterr().err == ""

    monkeypatch.setattr("costspan.cli_progress.AFTER_S", 0.01)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress("removing"):
        time.sleep(0.05)
    said = capfd.readouterr().err
    assert "\rremoving: 0 s " in said
    assert said.endswith("\r\x1b[K")
