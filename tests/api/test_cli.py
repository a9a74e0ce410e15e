"""The command line, on a real ledger."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import click
import pytest
from shell import Said, Shell

from costspan.cli_commands import cli
from costspan.core.types import Usage
from costspan.exporters.home import resolve_home
from costspan.exporters.ledger.exporter import LedgerExporter
from costspan.exporters.ledger.layout import segment_paths
from costspan.exporters.ledger.notes import LossNote, write_note
from costspan.middleware.record import Call, ErrorFacts, ProviderRequest
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.types import Cost

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def commands() -> Iterator[str]:
    """The names of all commands, ``prices show`` after ``prices``."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        yield name
        found = cli.get_command(context, name)
        if isinstance(found, click.Group):
            yield from (f"{name} {one}" for one in found.list_commands(context))


COMMANDS = [*commands()]
assert len(COMMANDS) > 20


def record(home: Path, *calls: Call) -> None:
    """Bring calls into the spool of a home, as an application does."""
    exporter = LedgerExporter(resolve_home(home))
    for call in calls:
        exporter.finish(call)  # the ledger looks at the record alone
    exporter.close()


def made(number: int, cost: str | None = "0.5", ago: timedelta = timedelta(minutes=5)) -> Call:
    """A call of 100 tokens in and 20 out; one without a cost failed."""
    at = datetime.now(UTC) - ago
    error = None if cost else ErrorFacts("openai.RateLimitError", 429, "quota")
    usage = Usage({"tokens.in.text": 100, "tokens.out.text": 20}) if cost else None
    priced = Cost(Decimal(cost), "priced") if cost else Cost(None, "unpriced")
    request = ProviderRequest(
        "openai", "chat", "gpt-x", "gpt-x", at, at, usage, priced, error=error
    )
    return Call(
        UUID(int=number),
        "chat",
        (request,),
        at,
        at,
        1_500_000,
        "error" if error else "ok",
        "raised" if error else "value",
        error=error,
        tags={"team": "a"},
    )


def test_report(shell: Shell, home: Path) -> None:
    record(home, made(1), made(2, "0.25"), made(3, None))

    said = shell("report")

    assert said == Said(0, said.out, "")
    assert said.out.splitlines()[0] == "Spend by model, all time"
    assert said.out.splitlines()[4].split() == (
        ["gpt-x", "3", "1", "200", "-", "40", "$0.7500", "100%", "██████████", "0"]
    )
    assert "\x1b" not in said.out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--by", "model"], {"model": "gpt-x", "calls": 2, "cost_usd": "0.75"}),
        (["--by", "tag:team"], {"tag": "a", "calls": 2, "cost_usd": "0.75"}),
        (["--since", "1h"], {"model": "gpt-x", "calls": 1, "cost_usd": "0.5"}),
        (["--until", "1h"], {"model": "gpt-x", "calls": 1, "cost_usd": "0.25"}),
        (["--by", "status", "--tz", "Asia/Tokyo"], {"status": "ok", "calls": 2}),
    ],
)
def test_report_as_json(
    shell: Shell, home: Path, arguments: Sequence[str], expected: dict[str, object]
) -> None:
    record(home, made(1), made(2, "0.25", timedelta(hours=2)))

    (row,) = json.loads(shell("report", "--format", "json", *arguments).out)

    assert {name: row[name] for name in expected} == expected


def test_report_as_csv_and_of_another_home(shell: Shell, tmp_path: Path) -> None:
    record(tmp_path / "other", made(1))

    said = shell("report", "--format", "csv", "--home", str(tmp_path / "other"))

    assert said.out.splitlines()[1] == "gpt-x,1,0,100,20,,,,0.5,0,0,0,0"


def test_estimates(shell: Shell, home: Path) -> None:
    record(home, made(1))

    assert shell("report", "--estimates").out == (
        "Estimates against the truth, all time: no call to compare.\n"
    )
    assert shell("report", "--estimates", "--format", "json").out == "[]\n"


def test_calls(shell: Shell, home: Path) -> None:
    record(home, made(1), made(2, None, timedelta(minutes=1)))

    said = shell("calls")
    assert [line.split()[2:5] for line in said.out.splitlines()[2:]] == [
        ["gpt-x", "error", "429"],
        ["gpt-x", "ok", "100"],
    ]
    (row,) = json.loads(shell("calls", "-n", "1", "--format", "json").out)
    assert (row["call_id"], row["error_type"]) == (str(UUID(int=2)), "openai.RateLimitError")
    (row,) = json.loads(shell("calls", "--status", "ok", "--format", "json").out)
    assert (row["call_id"], row["tags"]) == (str(UUID(int=1)), {"team": "a"})


class TestNothingRecorded:
    """The first thing that many people type."""

    @pytest.mark.parametrize("command", [["report"], ["calls"], ["report", "--estimates"]])
    def test_says_what_to_do_next(self, shell: Shell, home: Path, command: list[str]) -> None:
        said = shell(*command)

        assert said.code == 0
        assert f"No calls recorded yet in {home}" in said.out
        assert "costspan.wrap(" in said.out
        assert "costspan demo" in said.out

    def test_for_programs_it_is_nothing(self, shell: Shell) -> None:
        assert shell("report", "--format", "json") == Said(0, "[]\n", "")
        assert shell("calls", "--format", "json") == Said(0, "[]\n", "")
        assert shell("report", "--format", "csv").out.count("\n") == 1

    def test_nothing_is_made(self, shell: Shell, home: Path) -> None:
        shell("report")
        shell("doctor")
        shell("merge")

        assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "--by", "tokens"], "cannot group by 'tokens': give one of model, provider,"),
        (["report", "--since", "soon"], "since 'soon' is not understood: give a length back"),
        (["report", "--tz", "Mars"], "time zone 'Mars' is not known"),
        (["report", "--format", "xml"], "(see: costspan report --help)"),
        (["report", "--estimates", "--by", "day"], "--estimates goes by model: leave --by out"),
        (["calls", "-n", "0"], "(see: costspan calls --help)"),
        (["calls", "--status", "good"], "'good' is not one of 'ok', 'error'"),
        (["nonsense"], "No such command 'nonsense'"),
        (["estimate"], "Missing argument 'FILE'"),
        (["estimate", "--model", "m", "no-such-file"], "no-such-file"),
    ],
)
def test_what_is_asked_wrongly_is_said_in_one_line(
    shell: Shell, arguments: Sequence[str], said: str
) -> None:
    found = shell(*arguments)

    assert (found.code, found.out) == (2, "")
    assert found.err.startswith("costspan: ")
    assert said in found.err
    assert found.err.count("\n") == 1


def test_a_wrong_configuration_is_said_in_one_line(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "costspan.toml").write_text("hoem = '/x'\n")

    for command in ("report", "calls", "config", "doctor", "merge"):
        said = shell(command)
        assert said.code == 2
        assert said.err.startswith("costspan: ")
        assert "unknown key 'hoem'; allowed: home" in said.err
        assert said.err.count("\n") == 1
    for command in ("report", "doctor", "merge"):  # which need it not where the folder is named
        assert shell(command, "--home", str(tmp_path / "named")).code == 0


def test_a_damaged_ledger_is_said_in_one_line(shell: Shell, home: Path) -> None:
    home.mkdir()
    (home / "ledger.duckdb").write_bytes(b"no database" * 1000)

    said = shell("report")

    assert (said.code, said.out) == (2, "")
    assert f"costspan: The ledger {home / 'ledger.duckdb'} is damaged" in said.err
    assert said.err.count("\n") == 1


def test_config(shell: Shell, home: Path, tmp_path: Path) -> None:
    (tmp_path / "costspan.toml").write_text("tags = { team = 'a' }\n")

    lines = dict(line.split(maxsplit=1) for line in shell("config").out.splitlines())

    assert lines["home"] == f"{home}  [COSTSPAN_HOME]"
    assert lines["tags"] == "team=a  [costspan.toml]"
    assert lines["billing_mode"] == "metered  [default]"
    assert lines["ledger"] == f"{home}  [named by COSTSPAN_HOME]"
    assert lines["automerge"] == "off  [COSTSPAN_AUTOMERGE]"
    assert lines["catalogue"] == f"{Catalogue.default().version}  [with the package]"


def test_config_names_the_file_that_named_the_folder(
    shell: Shell, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSTSPAN_HOME")
    (tmp_path / "costspan.toml").write_text(f"home = '{home}'\n")

    assert f"{home}  [named by costspan.toml]\n" in shell("config").out
    assert ", named by --home." in shell("doctor", "--home", str(tmp_path / "x")).out


def test_doctor_is_content(shell: Shell, home: Path) -> None:
    record(home, made(1))

    said = shell("doctor")

    assert said.code == 0
    assert {line.split()[0] for line in said.out.splitlines()} == {"ok"}


def test_doctor_finds_what_is_broken_and_names_the_cure(shell: Shell, home: Path) -> None:
    (home / "quarantine").mkdir(parents=True)
    (home / "quarantine" / "x.jsonl").write_text("{}\n")

    said = shell("doctor")

    assert said.code == 1
    found = said.out.splitlines()
    number = next(n for n, line in enumerate(found) if line.startswith("error"))
    assert found[number].endswith("quarantine: 1 damaged record.")
    assert found[number + 1].strip().startswith("-> ")


class TestLosses:
    """Records that were refused: whoever asks is told, not only who asks the doctor."""

    def test_of_a_process_that_stored_others(self, shell: Shell, home: Path) -> None:
        record(home, made(1))
        note(home, "host.1", 2302)

        for command in (["report"], ["calls"], ["report", "--estimates"]):
            for form in ("table", "json", "csv"):
                said = shell(*command, "--format", form)
                assert said.code == 0
                assert said.err == (
                    "costspan: 2,302 records were lost since 2026-11-01 12:00:05 UTC by process "
                    "host.1: No space left on device; see: costspan doctor\n"
                )

    def test_of_several_processes(self, shell: Shell, home: Path) -> None:
        record(home, made(1))
        note(home, "host.1", 1)
        note(home, "host.2", 1)

        assert "2 records were lost since 2026-11-01 12:00:05 UTC by 2 proc" in shell("report").err

    def test_all_were_lost(self, shell: Shell, home: Path) -> None:
        home.mkdir()
        note(home, "host.1", 1)

        said = shell("report")

        assert said.code == 0
        assert "1 record was lost since" in said.err
        assert said.out == (
            f"No calls in {home}: 1 record was lost since 2026-11-01 12:00:05 UTC by process "
            "host.1: No space left on device.\nTo find out more: costspan doctor\n"
        )

    @pytest.mark.parametrize("below", ["", "below"])
    def test_the_home_is_a_file(self, shell: Shell, home: Path, below: str) -> None:
        home.write_text("a file where the folder should be")
        record(home / below, made(1), made(2))

        for command in ("report", "calls", "merge"):
            said = shell(command, "--home", str(home / below))
            assert (said.code, said.out) == (2, "")
            assert "is not a folder. Name a folder on a local disk" in said.err
            if command != "merge":
                assert "costspan: 2 records were lost since" in said.err
        said = shell("doctor", "--home", str(home / below))
        assert said.code == 1
        assert "lost 2 records" in said.out
        assert "No process" not in said.out

    def test_a_refused_record_is_noted_by_a_real_process(self, home: Path) -> None:
        home.write_text("a file where the folder should be")
        code = "import costspan\nf = costspan.wrap(lambda model, messages: {})\n"
        code += "f('gpt-4o', [])\nprint(costspan.flush(), costspan.flush())\n"
        asked = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
        )

        assert asked.stdout == "False True\n"
        assert "costspan: 1 record was lost since" in run("report").stderr


def note(home: Path, process: str, lost: int) -> None:
    """Note losses as a process does that ran out of disk."""
    since = datetime(2026, 11, 1, 12, 0, 5, tzinfo=UTC)
    write_note(home, LossNote(process, lost, "OSError(ENOSPC)", since, since))


@pytest.mark.parametrize(("exporters", "said"), [("[]", "[]"), ("['otel']", '["otel"]')])
def test_a_ledger_that_is_switched_off(
    shell: Shell, tmp_path: Path, exporters: str, said: str
) -> None:
    (tmp_path / "costspan.toml").write_text(f"exporters = {exporters}\n")

    reported = shell("report")
    found = shell("doctor")

    off = f"costspan.toml switches the ledger off: exporters = {said}."
    assert off in reported.out
    assert "Wrap a client" not in reported.out
    assert found.out.splitlines()[0] == f"warning  {off}"
    assert 'Add "ledger" to the exporters there' in found.out.splitlines()[1]
    assert (reported.code, found.code) == (0, 0)


def test_what_a_ledger_holds_is_shown_though_it_is_switched_off(
    shell: Shell, home: Path, tmp_path: Path
) -> None:
    record(home, made(1))
    (tmp_path / "costspan.toml").write_text("exporters = []\n")

    assert shell("report") == Said(0, shell("report").out, "")
    assert "switches" not in shell("report").out


def test_merge(shell: Shell, home: Path) -> None:
    record(home, made(1), made(2))

    assert shell("merge").out == f"merged 2 calls of 1 segment into {home}\n"
    assert shell("merge").out == f"merged 0 calls of 0 segments into {home}\n"


def test_merge_leaves_it_to_another_merge(shell: Shell, home: Path) -> None:
    record(home, made(1))
    shell("merge")
    with (home / "merge.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        said = shell("merge")

    assert said == Said(0, f"another process is merging into {home}: nothing to do\n", "")


def test_a_ledger_that_a_notebook_reads_cannot_be_merged_but_reported(
    shell: Shell, home: Path
) -> None:
    record(home, made(1))
    shell("merge")
    record(home, made(2))
    holder = (
        "import duckdb, sys\nconnection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print('open', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(home / "ledger.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as notebook:
        assert notebook.stdout is not None
        assert notebook.stdout.readline() == b"open\n"
        merged = shell("merge")
        reported = shell("report", "--format", "json")

    assert merged == Said(
        2,
        "",
        f"costspan: {home}: another program has the ledger open: close it, and merge again\n",
    )
    assert json.loads(reported.out)[0]["calls"] == 2


def test_what_a_newer_version_recorded_is_missed_aloud(shell: Shell, home: Path) -> None:
    record(home, made(1))
    (segment,) = segment_paths(home)
    segment.rename(segment.with_name(segment.name.replace(".v1.", ".v99.")))

    said = shell("report", "--format", "json")

    assert (said.code, said.out) == (0, "[]\n")
    assert said.err == "costspan: not shown: 1 file of a newer costspan; update this one\n"
    assert "left alone 1 segment of a newer costspan" in shell("merge").out


def test_damaged_records_are_missed_aloud(shell: Shell, home: Path) -> None:
    record(home, made(1))
    (segment,) = segment_paths(home)
    segment.write_bytes(segment.read_bytes() + b'{"call_id": 7}\n')

    said = shell("report", "--format", "json")

    assert json.loads(said.out)[0]["calls"] == 1
    assert said.err == "costspan: not shown: 1 damaged record; see: costspan doctor\n"


def test_without_a_command_it_helps(shell: Shell) -> None:
    assert shell() == shell("--help")
    assert shell().out.startswith("Usage: costspan ")


class TestEstimate:
    """A prompt as text, as messages, as a request body."""

    # "hi" is one token; gpt-4o adds 3 for the message, 1 for the role and 3 for the reply: 8.
    @pytest.mark.parametrize(
        "text",
        [
            "hi",
            '[{"role": "user", "content": "hi"}]',
            '{"model": "x", "messages": [{"role": "user", "content": "hi"}], "stream": true}',
        ],
    )
    def test_tokens_and_cost(self, shell: Shell, tmp_path: Path, text: str) -> None:
        (tmp_path / "prompt").write_text(text)

        said = shell("estimate", "--model", "gpt-4o", "--max-tokens", "10", "prompt")

        assert (said.code, said.err) == (0, "")
        lines = said.out.splitlines()
        assert lines[0].split() == ["input", "8", "tokens", "8", "to", "8"]
        assert lines[1].split()[2:] == ["tokens", "1", "to", "10"]
        # 8 tokens at $2.50 and 10 at $10 per million are $0.00012.
        assert lines[2].split()[-1] == "$0.00012000"
        assert lines[3].startswith("basis   o200k, confidence of the input high")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "prompt is empty"),
            (" \n", "prompt is empty"),
            ("[1, 2]", "prompt is JSON but no request"),
            ("[]", "prompt is JSON but no request"),
            ('{"temperature": 1}', "prompt is JSON but no request"),
            ("[" * 100_000, "nested too deeply"),
            ("{", "prompt, line 1: begins like JSON and is none"),
            ('{"messages": [}', "prompt, line 1: begins like JSON and is none"),
            ('{"input": "a"}\n{"input": ', "prompt, line 2: begins like JSON and is none"),
            ('{"input": "a"}\n{"b": 1}', "prompt, line 2 is JSON but no request"),
            ('{"input": "a"}\n\n' + "[" * 100_000, "prompt, line 3: begins like JSON and is none"),
        ],
    )
    def test_what_is_no_request_is_said(
        self, shell: Shell, tmp_path: Path, text: str, said: str
    ) -> None:
        (tmp_path / "prompt").write_text(text)

        done = shell("estimate", "--model", "gpt-4o", "prompt")

        assert done.code == 2
        assert said in done.err
        assert done.err.count("\n") == 1

    def test_the_tier_of_a_request_counts(self, shell: Shell, tmp_path: Path) -> None:
        body = '{"messages": [{"role": "user", "content": "hi"}], "service_tier": "flex"}'
        (tmp_path / "prompt").write_text(body)

        out = shell("estimate", "--model", "o3", "--max-tokens", "10", "prompt").out

        # o3 flex: $1 in and $4 out per million tokens; 7 tokens and 10 are $0.000047.
        assert out.splitlines()[2].split()[-1] == "$0.00004700"
        assert "tier flex" in out

    def test_an_embedding_has_no_answer(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "prompt").write_text("hello world")

        out = shell("estimate", "--model", "text-embedding-3-small", "prompt").out

        assert out.splitlines()[0].split()[:2] == ["input", "2"]
        assert out.splitlines()[1].split()[:2] == ["output", "0"]
        assert "$0.00000004" in out  # 2 x $0.02 per million
        assert "answer" not in out

    def test_messages_to_an_embedding_model_have_no_answer(
        self, shell: Shell, tmp_path: Path
    ) -> None:
        (tmp_path / "prompt").write_text('[{"role": "user", "content": "hello world"}]')

        lines = shell("estimate", "--model", "text-embedding-3-small", "prompt").out.splitlines()

        assert lines[1].split()[:2] == ["output", "0"]
        assert "unpriced" not in lines[2]

    @pytest.mark.parametrize("key", ["body", "params"])
    def test_a_batch_is_summed(self, shell: Shell, tmp_path: Path, key: str) -> None:
        line = json.dumps(
            {
                "custom_id": "a",
                key: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 10},
            }
        )
        (tmp_path / "batch.jsonl").write_text(f"{line}\n{line}\n")

        lines = shell("estimate", "--model", "gpt-4o", "batch.jsonl").out.splitlines()

        assert lines[0] == "2 requests"
        assert lines[1].split()[:2] == ["input", "16"]
        assert lines[2].split()[-1] == "20"
        # 16 x $1.25 + 20 x $5 per million tokens: batches cost half.
        assert lines[3].split()[-1] == "$0.00012000"
        assert "tier batch" in lines[4]

    def test_each_line_of_a_batch_has_its_own_model(self, shell: Shell, tmp_path: Path) -> None:
        chat = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
        text = {"model": "text-embedding-3-small", "input": "hello world"}
        none = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
        bodies = [{**chat, "max_tokens": 10}, text, none]
        lines = [json.dumps({"custom_id": "a", "body": body}) for body in bodies]
        (tmp_path / "batch.jsonl").write_text("\n\n".join(lines))

        said = shell("estimate", "--model", "gpt-4o", "batch.jsonl").out.splitlines()

        assert said[0] == "3 requests"
        # Batch prices per million: mini 8 x $0.075 + 10 x $0.30, the embedding 2 x $0.01,
        # gpt-4o 8 x $1.25 + 10 x $5: 3.60 + 0.02 + 60.00 millionths of a dollar.
        assert said[3].split()[-1] == "$0.00006362"
        alone = shell("estimate", "batch.jsonl")
        assert alone.code == 2
        assert "Missing option '--model': batch.jsonl, line 5 names none" in alone.err

    def test_the_file_may_name_the_model(self, shell: Shell, tmp_path: Path) -> None:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        (tmp_path / "prompt").write_text("\ufeff" + json.dumps(body), encoding="utf-8")

        # 8 x $2.50 + 1 x $10 per million tokens.
        assert shell("estimate", "prompt").out.splitlines()[2].split()[-1] == "$0.00003000"

    @pytest.mark.parametrize(
        ("cap", "high", "said"),
        [
            ([], "16,384", "high the model's limit"),
            (["--max-tokens", "999999"], "16,384", "high the model's limit"),
            (["--max-tokens", "50"], "50", "high as asked for"),
        ],
    )
    def test_the_length_of_the_answer_is_an_assumption(
        self, shell: Shell, tmp_path: Path, cap: list[str], high: str, said: str
    ) -> None:
        (tmp_path / "prompt").write_text("hi")

        lines = shell("estimate", "--model", "gpt-4o", *cap, "prompt").out.splitlines()

        assert lines[1].split()[-1] == high
        assert lines[4].startswith("answer  length assumed: ")
        assert lines[4].endswith(said)

    def test_a_model_without_a_price_is_unpriced(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "prompt").write_text("hi")

        said = shell("estimate", "--model", "openai/our-own", "prompt")

        assert said.out.splitlines()[2] == (
            "cost      unpriced: no such model in the catalogue: openai/our-own"
        )

    @pytest.mark.parametrize(
        ("model", "cure"),
        [
            ("gpt-4oo", "; did you mean gpt-4o?"),
            ("openai/gpt-4oo", "; did you mean gpt-4o?"),
            ("some-model", "; write provider/model"),
        ],
    )
    def test_a_misspelt_model(self, shell: Shell, tmp_path: Path, model: str, cure: str) -> None:
        (tmp_path / "prompt").write_text("hi")

        line = shell("estimate", "--model", model, "prompt").out.splitlines()[2]

        assert line == f"cost      unpriced: no such model in the catalogue: {model}{cure}"

    def test_from_a_pipe(self, home: Path) -> None:
        done = run("estimate", "--model", "gpt-4o", "-", stdin="hi")

        assert done.stdout.splitlines()[0].split()[:2] == ["input", "8"]

    def test_what_is_no_text(self, shell: Shell, tmp_path: Path) -> None:
        (tmp_path / "prompt").write_bytes(b"\xff\xfe")

        said = shell("estimate", "--model", "gpt-4o", "prompt")

        assert (said.code, said.err) == (
            2,
            "costspan: prompt is not UTF-8 text: invalid start byte\n",
        )


def run(*arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "costspan", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
    )


class TestHelp:
    """Short, with two examples, and there at once."""

    @pytest.mark.parametrize("command", ["", *COMMANDS])
    def test_docs_show_the_real_help(self, command: str) -> None:
        shown = run(*command.split(), "--help", COLUMNS="80").stdout.rstrip()
        section = DOCS.read_text("utf-8").split(f"\n## costspan {command}".rstrip() + "\n")[1]

        assert f"\n```text\n{shown}\n```\n" in section.split("\n## ")[0]

    @pytest.mark.parametrize("command", ["", *COMMANDS])
    def test_two_examples(self, command: str) -> None:
        shown = run(*command.split(), "--help", COLUMNS="80").stdout
        examples = re.findall(r"^    .*\bcostspan .*$", shown.split("Options:")[0], re.MULTILINE)

        assert len(examples) == 2
        assert len(shown.splitlines()) <= 26

    def test_it_imports_nothing_heavy(self) -> None:
        code = (
            "import sys\nfrom costspan.cli import main\n"
            "try:\n    main(['report', '--help'])\n"
            "except SystemExit:\n    pass\n"
            "heavy = {'duckdb', 'httpx', 'tiktoken', 'rich', 'opentelemetry', 'orjson', 'openai'}\n"
            "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

        assert done.stderr == "[]\n"

    def test_version(self) -> None:
        assert re.fullmatch(r"costspan \d+\.\d+\.\d+\n", run("--version").stdout)


class TestOutput:
    """Pipes and terminals that cannot do everything."""

    def test_a_closed_pipe_is_silent(self, home: Path) -> None:
        record(home, *(made(number) for number in range(1, 2001)))
        command = f"{sys.executable} -m costspan calls -n 2000 --format json | head -1"

        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)

        assert (done.stdout, done.stderr) == ("[\n", "")

    @pytest.mark.parametrize(
        "command",
        [
            *("report", "report --format csv", "calls -n 2000 --format json", "config"),
            *("doctor", "merge", "--help", "--version"),
        ],
    )
    def test_a_full_disk_is_one_line(self, home: Path, command: str) -> None:
        record(home, *(made(number) for number in range(1, 2001)))

        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "costspan", *command.split()],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
            )

        assert done.stderr == "costspan: the output cannot be written: No space left on device\n"
        assert done.returncode == 2

    def test_both_outputs_full(self, home: Path) -> None:
        command = f"{sys.executable} -m costspan report >/dev/full 2>&1"

        assert subprocess.run(command, shell=True, timeout=60).returncode == 2

    def test_a_closed_output(self, home: Path) -> None:
        record(home, made(1))
        command = f"{sys.executable} -m costspan report >&-"
        done = subprocess.run(command, shell=True, stderr=subprocess.PIPE, timeout=60)

        assert (done.returncode, done.stderr) == (0, b"")

    @pytest.mark.parametrize(
        ("work", "said"),
        [
            ("open('/no/such/file')", "/no/such/file: No such file or directory"),
            ("raise OSError('no words')", "no words"),
        ],
    )
    def test_other_errors_of_the_system_are_one_line(self, work: str, said: str) -> None:
        code = (
            "from costspan.cli import main\nfrom costspan.cli_commands import cli\n"
            f"@cli.command()\ndef broken():\n    {work}\nmain(['broken'])\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

        assert (done.returncode, done.stderr) == (2, f"costspan: {said}\n")

    def test_an_ascii_terminal(self, home: Path) -> None:
        record(home, made(1))

        for form in ("table", "csv"):
            done = run("report", "--format", form, PYTHONIOENCODING="ascii")
            assert done.returncode == 0
            assert done.stdout.isascii()

    def test_the_screen_is_as_wide_as_columns_says(self, home: Path) -> None:
        record(home, made(1))

        shown = run("calls", COLUMNS="60", PYTHONIOENCODING="utf-8").stdout

        assert max(map(len, shown.splitlines())) <= 60


INTERRUPTED_IMPORT = """
import os, signal, sys
from costspan.cli import main

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == interrupted:
            os.kill(os.getpid(), signal.SIGINT)

interrupted, sys.argv[1:] = sys.argv[1], sys.argv[2:]
sys.meta_path.insert(0, Interrupter())
main()
"""


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("costspan.cli_commands", "--version"),
        ("click", "--version"),
        ("costspan.reports.period", "report"),
        ("costspan.middleware.config", "merge"),
        ("duckdb", "report"),  # in the midst of its native import an exception aborts
        ("_duckdb", "doctor"),
        ("_duckdb", "merge"),
    ],
)
def test_ctrl_c_during_imports_is_silent(home: Path, module: str, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT, module, command],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_is_the_callers_again(shell: Shell) -> None:
    before = signal.getsignal(signal.SIGINT)

    shell("--version")

    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_lets_the_demo_tidy() -> None:
    code = (
        "import os, signal\nfrom costspan.cli import leave\n"
        "from costspan.cli_interrupt import cleaning_up\nsignal.signal(signal.SIGINT, leave)\n"
        "try:\n    with cleaning_up():\n        os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n    print('tidied', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stdout, done.stderr) == (130, "tidied\n", "")


LONG_QUERY = """
import sys
import duckdb
from costspan.cli import main
from costspan.cli_commands import cli
from costspan.cli_interrupt import CtrlC

@cli.command()
def long():
    with (
        CtrlC() as ctrl_c,
        duckdb.connect() as connection,
        ctrl_c.breaking_off(connection.interrupt),
    ):
        print("ready", flush=True)
        connection.execute("SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 3")

@cli.command()
def stubborn():
    with CtrlC(), duckdb.connect() as connection:
        print("ready", flush=True)
        connection.execute("SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 3")

main([sys.argv[1]])
"""


@pytest.mark.parametrize("command", ["long", "stubborn"])
def test_ctrl_c_ends_a_query_at_once(command: str) -> None:
    # duckdb/duckdb#10216, #15925: Ctrl-C is ignored while a query runs.
    with subprocess.Popen(
        [sys.executable, "-c", LONG_QUERY, command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            pressed = time.monotonic()
            _, err = process.communicate(timeout=30)
            took_s = time.monotonic() - pressed
        finally:
            process.kill()

    assert process.returncode == 130
    assert took_s < 1
    assert err.strip() == ""
