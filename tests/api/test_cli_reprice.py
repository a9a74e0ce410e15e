"""``costspan explain`` and ``costspan reprice``, on a real ledger."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from repricing import NOON, OLDER, TOOK, call, older_catalogue, record, request
from shell import Shell

from costspan.exporters.ledger.merge import merge
from costspan.exporters.ledger.read import open_ledger
from costspan.pricing.catalogue import Catalogue

NOW = Catalogue.default()


@pytest.fixture
def older(tmp_path: Path) -> Catalogue:
    """A catalogue in which fresh input costs 3.50 instead of 2.50."""
    return older_catalogue(tmp_path / "older", tokens__in__text="3.50")


def version(home: Path) -> list[tuple[object, ...]]:
    with open_ledger(home) as reader:
        return reader.execute("SELECT DISTINCT catalogue_version FROM calls").rows


class TestExplain:
    """The arithmetic of one call."""

    def test_by_the_id_that_calls_shows(self, shell: Shell, home: Path) -> None:
        record(home, call(0xC0FFEE, request(NOW)))
        shown = shell("calls").out.split()[-1]

        said = shell("explain", shown)

        assert (said.code, said.err) == (0, "")
        assert said.out.splitlines()[0] == "Call 00000000-0000-0000-0000-000000c0ffee"
        assert "they come to $0.00422." in said.out

    def test_as_json(self, shell: Shell, home: Path) -> None:
        record(home, call(1, request(NOW)))

        assert json.loads(shell("explain", "1", "--format", "json").out)["cost_usd"] == "0.00422"

    def test_prices_of_the_users_own_are_its_sources(
        self, shell: Shell, home: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "prices.toml").write_text(
            '[[prices]]\nprovider = "openai"\nmodel = "gpt-4o-2024-08-06"\n'
            'usd = { "tokens.in.text" = 2.00 }\nsource = "contract 7"\n'
        )
        (tmp_path / "costspan.toml").write_text('prices = "prices.toml"\n')
        record(home, call(1, request(NOW)))

        assert shell("reprice").code == 0
        # 176 x 2.00 per million is 0.000352 instead of 0.00044.
        said = shell("explain", "1")
        assert "0.000352" in said.out
        assert "contract 7" in said.out
        assert "0.00422  0.004132" in said.out

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ("beef", "no call has the id beef: find its id with costspan calls"),
            ("1", "several calls have an id that ends in 1: say more of 00000000-"),
            ("what", "'what' is no call id"),
        ],
    )
    def test_which_call_is_asked_wrongly(
        self, shell: Shell, home: Path, said: str, error: str
    ) -> None:
        record(home, call(1, request(NOW)), call(0x11, request(NOW)))

        found = shell("explain", said)

        assert (found.code, found.out, found.err.count("\n")) == (2, "", 1)
        assert found.err.startswith(f"costspan: {error}")

    def test_nothing_is_recorded(self, shell: Shell, home: Path) -> None:
        found = shell("explain", "1")

        assert found.code == 2
        assert "No calls have been recorded" in found.err
        assert not home.exists()


class TestReprice:
    """Calls that an older catalogue priced."""

    def test_a_dry_run_writes_nothing(self, shell: Shell, home: Path, older: Catalogue) -> None:
        record(home, call(1, request(older)))

        said = shell("reprice", "--dry-run")

        assert (said.code, said.err) == (0, "")
        assert "$0.004396  $0.004220   -0.000176" in said.out
        assert said.out.endswith("Nothing was written (--dry-run).\n")
        assert version(home) == [(OLDER,)]

    def test_it_is_written_and_explained(self, shell: Shell, home: Path, older: Catalogue) -> None:
        record(home, call(1, request(older)))

        assert "1 call written; what they cost before is kept" in shell("reprice").out
        assert version(home) == [(NOW.version,)]
        page = shell("explain", "1").out
        assert "0.004396  0.00422" in page
        assert f"{OLDER}  {NOW.version}" in page
        assert shell("reprice").out.endswith("Nothing to write: every call costs what it did.\n")

    def test_for_programs(self, shell: Shell, home: Path, older: Catalogue) -> None:
        record(home, call(1, request(older)))

        (row,) = json.loads(shell("reprice", "--dry-run", "--format", "json").out)
        lines = shell("reprice", "--dry-run", "--format", "csv").out.splitlines()

        assert row == {
            "provider": "openai",
            "model": "gpt-4o-2024-08-06",
            "calls": 1,
            "changed": 1,
            "old_usd": "0.004396",
            "new_usd": "0.00422",
            "difference_usd": "-0.000176",
            "newly_priced": 0,
            "no_longer_priced": 0,
            "incomplete": 0,
        }
        assert lines[1] == "openai,gpt-4o-2024-08-06,1,1,0.004396,0.00422,-0.000176,0,0,0"

    def test_only_a_period_and_a_model(self, shell: Shell, home: Path, older: Catalogue) -> None:
        record(home, call(1, request(older)), call(2, request(older, at=NOON + 30 * TOOK)))
        arguments = ["--from", "2026-11-01T13:01", "--to", "2026-11-02", "--tz", "Europe/Berlin"]

        (row,) = json.loads(shell("reprice", "--dry-run", *arguments, "--format", "json").out)

        assert row["calls"] == 1
        assert shell("reprice", "--model", "other", "--format", "json").out == "[]\n"

    def test_no_calls_in_the_period(self, shell: Shell, home: Path) -> None:
        record(home, call(1, request(NOW)))

        said = shell("reprice", "--to", "2026-10-01")

        assert (said.code, said.err) == (0, "")
        assert said.out.endswith(", until 2026-10-01 00:00 UTC: no calls.\n")

    def test_an_alias_of_the_configuration(self, shell: Shell, home: Path, tmp_path: Path) -> None:
        record(home, call(1, request(NOW, "azure", "mine")))
        (tmp_path / "costspan.toml").write_text('aliases = { mine = "openai/gpt-4o-2024-08-06" }\n')

        assert "1 call had no price and now have one." in shell("reprice").out

    def test_open_elsewhere(self, shell: Shell, home: Path) -> None:
        record(home, call(1, request(NOW)))
        merge(home)
        with duckdb.connect(str(home / "ledger.duckdb"), read_only=True):
            said = shell("reprice")

        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
        assert f"The ledger {home / 'ledger.duckdb'} is open in process {os.getpid()}" in said.err

    @pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
    def test_nothing_is_recorded(self, shell: Shell, home: Path, arguments: list[str]) -> None:
        found = shell("reprice", *arguments)

        assert found.code == 2
        assert "No calls have been recorded" in found.err
        assert not home.exists()

    @pytest.mark.parametrize("when", ["--from", "--to"])
    def test_a_period_that_is_not_understood(self, shell: Shell, when: str) -> None:
        found = shell("reprice", when, "soon")

        assert found.code == 2
        assert f"{when[2:]} 'soon' is not understood" in found.err

    def test_progress_on_a_terminal(self, home: Path, older: Catalogue) -> None:
        record(home, call(1, request(older)))
        terminal, its_end = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-m", "costspan", "reprice"],
            stdout=subprocess.PIPE,
            stderr=its_end,
            timeout=60,
        )
        os.close(its_end)

        assert done.returncode == 0
        assert os.read(terminal, 1000) == b"\r0 of 1 calls \r\x1b[K"
        os.close(terminal)


INTERRUPTED = """\
import os, signal, time
from costspan.cli import main
from costspan.reports.again import Pricer

def interrupted(self, stored):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)

Pricer.new_columns = interrupted
main()
"""


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_ctrl_c_writes_nothing(home: Path, older: Catalogue, arguments: list[str]) -> None:
    record(home, call(1, request(older)))

    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, "reprice", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr.strip()) == (128 + signal.SIGINT, "", "")
    assert version(home) == [(OLDER,)]
