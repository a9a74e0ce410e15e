"""``costspan import`` and the reports of files that are not kept."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from foreign import as_csv, json_lines, prompt_line, session_line, spend_log
from repricing import call, record, request
from shell import Shell

from costspan.exporters.jsonlines import JsonLinesExporter
from costspan.pricing.catalogue import Catalogue

NOW = Catalogue.default()


def costspan(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "costspan", *arguments]


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    """A folder as Claude Code keeps it: two answers for $0.00723 each, one of them copied."""
    folder = tmp_path / "projects"
    for name, lines in {
        "shop/session-1.jsonl": [prompt_line(), session_line("msg_1"), session_line("msg_2")],
        "shop/session-2.jsonl": [session_line("msg_2"), prompt_line()],
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(json_lines(*lines))
    return folder


class TestImport:
    """Into the ledger."""

    def test_a_folder_of_sessions(self, shell: Shell, projects: Path) -> None:
        said = shell("import", str(projects))

        assert (said.code, said.err) == (0, "")
        assert said.out == (
            "imported 2 calls (2 other lines passed over) from 2 files; $0.014460; "
            "2026-03-02 10:00:05 UTC .. 2026-03-02 10:00:05 UTC\n"
        )
        (row,) = json.loads(shell("report", "--by", "tag:project", "--format", "json").out)
        assert (row["tag"], row["calls"], row["cost_usd"]) == ("shop", 2, "0.01446")

    def test_again_after_the_session_has_grown(self, shell: Shell, projects: Path) -> None:
        growing = projects / "shop" / "session-3.jsonl"
        growing.write_bytes(json_lines(session_line("msg_3", 1, stop=None)))
        shell("import", str(projects))
        with growing.open("ab") as log:
            log.write(json_lines(session_line("msg_3"), session_line("msg_4")))

        said = shell("import", str(projects))

        assert said.out.startswith(
            "imported 1 call (2 known already, 1 replaced, 2 other lines passed over) from 3 files"
        )
        assert shell("import", str(projects)).out == (
            "imported 0 calls (4 known already, 2 other lines passed over) from 3 files\n"
        )

    def test_a_spend_log_with_tags(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "spend.csv").write_bytes(as_csv([spend_log("1"), spend_log("2")]))

        shell("import", "spend.csv", "--tag", "source=proxy")

        (row,) = json.loads(shell("report", "--by", "tag:source", "--format", "json").out)
        assert (row["tag"], row["calls"], row["cost_usd"]) == ("proxy", 2, "0.005")

    def test_what_has_no_price_is_said(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "spend.csv").write_bytes(as_csv([spend_log(model="in-house", spend=0)]))

        assert "; 1 unpriced; " in shell("import", "spend.csv").out

    def test_a_plan_is_noted(self, shell: Shell, projects: Path, home: Path) -> None:
        shell("import", str(projects), "--billing", "plan")

        from costspan.exporters.ledger.read import open_ledger

        with open_ledger(home) as reader:
            assert reader.execute("SELECT DISTINCT billing_mode FROM calls").rows == [("plan",)]

    def test_our_own_lines_from_the_standard_input(
        self, shell: Shell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = io.BytesIO()
        exporter = JsonLinesExporter(stream)
        exporter.finish(call(1, request(NOW)))
        stdin = io.BufferedReader(io.BytesIO(stream.getvalue()))
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stdin))

        assert shell("import", "-").out.startswith("imported 1 call from 1 file; $0.0042")
        assert shell("explain", "1").code == 0

    def test_damage_is_named_and_the_rest_comes_in(self, shell: Shell, tmp_path: Path) -> None:
        torn = json_lines(session_line("msg_2"))[:-40] + b"\n"
        (tmp_path / "a.jsonl").write_bytes(json_lines(session_line("msg_1")) + torn + torn)

        said = shell("import", "a.jsonl")

        assert said.code == 0
        assert said.err == "costspan: passed over: 2 damaged records, the first is a.jsonl:2\n"
        assert said.out.startswith("imported 1 call from 1 file")

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (["nothing.log"], "nothing.log: no calls found. Read are: costspan JSON lines, "),
            (["torn.jsonl"], "the first that looks like one but cannot be read: torn.jsonl:1"),
            (["missing.csv"], "missing.csv: No such file or directory"),
            (["good.jsonl", "--format", "litellm"], "good.jsonl: no calls found"),
            (["good.jsonl", "--tag", "x"], "--tag x: give NAME=VALUE"),
            (["good.jsonl", "--tag", f"x={'y' * 300}"], "its value has 300 characters"),
            (["empty"], "empty: holds no .jsonl"),
            ([], "Missing argument 'FILE...'"),
        ],
    )
    def test_what_cannot_be_imported(
        self, shell: Shell, tmp_path: Path, home: Path, arguments: Sequence[str], error: str
    ) -> None:
        (tmp_path / "nothing.log").write_text("started\nstopped\n")
        (tmp_path / "torn.jsonl").write_bytes(json_lines(session_line())[:-40])
        (tmp_path / "good.jsonl").write_bytes(json_lines(session_line()))
        (tmp_path / "empty").mkdir()

        said = shell("import", *arguments)

        assert (said.code, said.out) == (2, "")
        assert error in said.err
        assert said.err.count("\n") == 1
        assert not home.exists()

    def test_a_name_that_could_steer_the_terminal(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "\x1b[31mx.jsonl").write_bytes(json_lines(session_line())[:-40] + b"\n")

        assert "\x1b" not in shell("import", ".").err

    def test_a_dry_run_says_it_and_writes_nothing(
        self, shell: Shell, projects: Path, home: Path
    ) -> None:
        said = shell("import", str(projects), "--dry-run")

        assert said.out.startswith("would import 2 calls (2 other lines passed over) from 2 files")
        assert not home.exists()

        shell("import", str(projects / "shop" / "session-2.jsonl"))
        assert shell("import", str(projects), "--dry-run").out.startswith(
            "would import 1 call (1 known already, 2 other lines passed over)"
        )
        assert len(json.loads(shell("calls", "--format", "json").out)) == 1

    def test_repricing_keeps_ours_before_theirs(self, shell: Shell, tmp_path: Path) -> None:
        rows = [spend_log("1", spend=0.9), spend_log("2", model="in-house", spend=0.9)]
        (tmp_path / "spend.csv").write_bytes(as_csv(rows))
        shell("import", "spend.csv")

        assert "every call costs what it did" in shell("reprice").out
        (tmp_path / "costspan.toml").write_text('[aliases]\nin-house = "openai/gpt-4o"\n')
        shell("reprice")

        told = json.loads(shell("calls", "--format", "json").out)
        assert [(one["cost_usd"], one["cost_status"]) for one in told] == [
            ("0.0025", "priced"),
            ("0.0025", "priced"),
        ]
        explained = shell("explain", told[0]["call_id"]).out
        assert "litellm reported $0.9: $0.8975 more than the rates come to." in explained

    def test_progress_on_a_terminal(self, home: Path, tmp_path: Path) -> None:
        lines = (json_lines(session_line(f"msg_{number}")) for number in range(40_000))
        (tmp_path / "long.jsonl").write_bytes(b"".join(lines))
        main, terminal = pty.openpty()
        process = subprocess.Popen(
            costspan("import", "long.jsonl"), stdout=subprocess.DEVNULL, stderr=terminal
        )
        os.close(terminal)
        shown = b""
        while chunk := _read(main):
            shown += chunk

        assert process.wait(30) == 0
        assert b"lines of long.jsonl" in shown
        assert shown.endswith(b"\r\x1b[K")


class TestReportsOfFiles:
    """Reports of files, of which nothing is kept."""

    @pytest.fixture
    def temporary(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The temporary directory of the commands."""
        return Path(os.environ["TMPDIR"])

    def test_report(self, shell: Shell, home: Path, projects: Path, temporary: Path) -> None:
        record(home, call(1, request(NOW)))

        said = shell("report", "--from", str(projects), "--by", "day", "--format", "json")

        (row,) = json.loads(said.out)
        assert (row["day"], row["calls"], row["cost_usd"]) == ("2026-03-02", 2, "0.01446")
        assert list(temporary.iterdir()) == []
        (mine,) = json.loads(shell("report", "--format", "json").out)
        assert mine["calls"] == 1

    def test_calls_of_several_files(self, shell: Shell, projects: Path, tmp_path: Path) -> None:
        (tmp_path / "spend.csv").write_bytes(as_csv([spend_log()]))

        said = shell("calls", "--from", str(projects), "--from", "spend.csv", "--format", "json")

        assert len(json.loads(said.out)) == 3

    def test_estimates_of_our_own_lines(self, shell: Shell, tmp_path: Path) -> None:
        with open(tmp_path / "calls.jsonl", "wb") as stream:
            JsonLinesExporter(stream).finish(call(1, request(NOW)))

        assert shell("report", "--estimates", "--from", "calls.jsonl").code == 0

    def test_nothing_stays_of_what_cannot_be_read(
        self, shell: Shell, home: Path, temporary: Path
    ) -> None:
        said = shell("report", "--from", "missing.csv")

        assert (said.code, said.err.count("\n")) == (2, 1)
        assert list(temporary.iterdir()) == []
        assert not home.exists()

    @pytest.mark.parametrize(
        ("number", "code", "delay_s"),
        [
            (signal.SIGINT, 130, 0.0),
            (signal.SIGINT, 130, 0.4),
            (signal.SIGTERM, 143, 0.4),
            (signal.SIGHUP, 129, 0.0),
        ],
    )
    def test_nothing_stays_when_it_is_ended(
        self, home: Path, tmp_path: Path, temporary: Path, number: int, code: int, delay_s: float
    ) -> None:
        lines = (json_lines(session_line(f"msg_{number}")) for number in range(25_000))
        (tmp_path / "long.jsonl").write_bytes(b"".join(lines))
        process = subprocess.Popen(
            costspan("report", "--from", "long.jsonl"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 20
        while not list(temporary.glob("costspan-from-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert list(temporary.glob("costspan-from-*"))
        time.sleep(delay_s)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

        assert (process.returncode, out, err.strip()) == (code, "", "")
        assert list(temporary.iterdir()) == []


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other end is closed
        return b""
