"""``costspan prices``: price lists, the search, own prices, updates."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from shell import Shell

from costspan.catalogue_in_force import catalogue_in_force
from costspan.pricing.rows import FOLDER

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``costspan prices``; gives its exit code, output and error output."""
    monkeypatch.setenv("COLUMNS", "120")

    def command(*arguments: str) -> tuple[int, str, str]:
        said = shell("prices", *arguments)
        return said.code, said.out, said.err

    return command


def test_a_price_list_has_rates_conditions_and_numbered_sources(run: Run) -> None:
    code, out, _ = run("gpt-4o", "--at", "2025-01-15")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "openai/gpt-4o-2024-08-06 (gpt-4o), on 2025-01-15"
    assert lines[1].startswith("context 128,000 tokens, output up to 16,384, released 2024-08-06")
    table = [line.split() for line in lines[5:10]]
    assert [row[:3] for row in table] == [
        ["input", "2.50", "1M"],
        ["batch", "1.25", "1M"],
        ["input,", "from", "cache"],
        ["output", "10.00", "1M"],
        ["batch", "5.00", "1M"],
    ]
    assert "[1] an announcement: https://openai.com/" in out


def test_the_price_of_a_day_is_that_days(run: Run) -> None:
    """o3 cost $10 and $40 until 2025-06-10, then $2 and $8 per million."""
    for day, expected in (("2025-06-01", ["10", "40"]), ("2025-07-01", ["2", "8"])):
        _, out, _ = run("o3", "--at", day, "--format", "json")
        standard = [
            row["usd"]
            for row in json.loads(out)
            if row["meter"] in ("tokens.in.text", "tokens.out.text") and not row["condition"]
        ]
        assert standard == expected


def test_the_history_has_what_ended_and_what_is_announced(run: Run) -> None:
    _, out, _ = run("o3", "--history")
    assert "its whole history" in out
    assert "until" in out
    inputs = [line.split() for line in out.splitlines() if "2025-04-16  2025-06-10" in line]
    assert inputs[0][1] == "10.000"


def test_factors_and_schedules_are_shown_in_words(run: Run) -> None:
    _, out, _ = run("anthropic/claude-opus-4-6")
    assert "x 0.5   tier batch  tokens" in out
    _, out, _ = run("deepseek/deepseek-chat", "--at", "2026-09-01")
    words = " ".join(out.split())
    assert (
        "peak-2026-workdays: 09:00-12:00, 14:00-18:00 Asia/Shanghai, Monday to Friday but for "
        "holidays, by when a call ends"
    ) in words


def test_csv_has_a_row_for_each_rate_and_factor(run: Run) -> None:
    _, out, _ = run("anthropic/claude-opus-4-6", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    (text,) = [row for row in rows if row["meter"] == "tokens.in.text"]
    assert (text["usd"], text["per"], text["evidence"]) == ("5", "1000000", "provider-page")
    (batch,) = [row for row in rows if row["factor_id"] == "anthropic-batch"]
    assert (batch["factor"], batch["condition"]) == ("0.5", "tier batch")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gpt4o", "no prices for gpt4o: did you mean gpt-4o"),
        ("openai/gpt-4o-mnii", "did you mean gpt-4o-mini"),
        ("zzzzzz", "find its name with costspan prices search"),
    ],
)
def test_an_unknown_model_is_told_with_near_names(run: Run, model: str, said: str) -> None:
    code, out, err = run(model)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_model_of_several_providers_must_say_whose(run: Run) -> None:
    code, out, err = run("glm-5.1")
    assert (code, out) == (2, "")
    assert "glm-5.1 is sold by several providers: say alibaba/glm-5.1, zhipu/glm-5.1, " in err
    code, out, _ = run("zhipu/glm-5.1")
    assert code == 0
    assert out.startswith("zhipu/glm-5.1, on ")


def test_a_day_that_is_none_is_told(run: Run) -> None:
    code, _, err = run("gpt-4o", "--at", "yesterday")
    assert code == 2
    assert "at 'yesterday' is not understood" in err


def test_a_day_before_the_model_is_told(run: Run) -> None:
    code, out, err = run("gpt-4o", "--at", "2020-01-01")
    assert (code, out) == (2, "")
    assert "gpt-4o had no price then: see all it has cost with --history" in err


def test_search_finds_by_all_words(run: Run) -> None:
    code, out, _ = run("search", "anthropic", "SONNET", "4-5")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if line.startswith("anthropic/")]
    assert ["anthropic/claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "3", "15"] in rows
    _, out, _ = run("search", "sonnet", "--format", "json")
    assert {"provider", "name", "model", "input_usd", "output_usd"} == set(json.loads(out)[0])


def test_search_says_how_many_more_there_are_and_when_there_are_none(run: Run) -> None:
    _, out, _ = run("search", "gpt")
    assert "more: say more words to narrow the search." in out
    code, out, err = run("search", "no-such-thing")
    assert (code, out) == (2, "")
    assert "no model's name holds 'no-such-thing'" in err


OWN = """
[[prices]]
provider = "openai"
model = "gpt-4o"
valid_from = 2026-07-01
usd = { "tokens.in.text" = 2.00 }

[[prices]]
provider = "openai"
model = "gpt-4o-mnii"
usd = { "tokens.in.text" = 1 }

[[discounts]]
id = "enterprise"
provider = "anthropic"
percent = 15

[[aliases]]
provider = "azure"
alias = "prod"
target = "gpt-4oo"
"""


def test_check_shows_what_changes_and_what_may_be_misspelt(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(OWN, encoding="utf-8")
    code, out, err = run("check", file.name)
    assert (code, err) == (0, "")
    assert "2 rates, 1 discount, 1 alias" in out
    row = next(line for line in out.splitlines() if line.startswith("openai/gpt-4o "))
    assert row.split() == ["openai/gpt-4o", "input", "2.5", "2", "-20.0%", "2026-07-01", "-"]
    words = " ".join(out.split())
    assert "enterprise: -15% on anthropic/*, everything" in words
    assert "~ openai/gpt-4o-mnii is new: the catalogue has no such model. Did you mean" in words
    assert "! prod leads to azure/gpt-4oo, which has no price: its calls will be unpriced." in words


def test_check_tells_every_problem_and_exits_with_2(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(OWN.replace("2.00", "-2").replace("15", "500"), encoding="utf-8")
    code, out, err = run("check", file.name)
    assert (code, out) == (2, "")
    assert err.startswith("costspan: prices.toml, line 6: prices.usd: ")
    assert "\ncostspan: prices.toml, line 16: discounts.percent: 500" in err


def test_own_prices_of_the_configuration_are_in_force(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prices.toml").write_text(OWN, encoding="utf-8")
    (tmp_path / "costspan.toml").write_text('prices = "prices.toml"', encoding="utf-8")
    _, out, _ = run("gpt-4o")
    assert "your price" in out
    assert "your own prices" in out
    monkeypatch.setenv("COSTSPAN_PRICES", "elsewhere.toml")
    code, _, err = run("gpt-4o")
    assert code == 2
    assert "elsewhere.toml: No such file or directory" in err


REGISTERED = """{
  "together_ai/new/model-9": {
    "litellm_provider": "together_ai", "mode": "chat",
    "input_cost_per_token": 6e-07, "output_cost_per_token": 1.2e-06, "output_cost_per_image": 1
  },
  "gpt-4o": {
    "litellm_provider": "openai", "mode": "chat",
    "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06
  }
}"""


def test_what_was_registered_with_litellm_becomes_own_prices(run: Run, tmp_path: Path) -> None:
    """$0.60 and $1.20 per million; gpt-4o is in the catalogue and left to it."""
    (tmp_path / "map.json").write_text(REGISTERED, encoding="utf-8")
    code, out, err = run("import", "map.json", "--from", "2026-03-01")
    assert code == 0
    (tmp_path / "own.toml").write_text(out, encoding="utf-8")
    assert err.splitlines() == [
        "costspan: imported 2 rates of 1 model",
        "costspan: left out 1 model that the catalogue prices already: --all takes them too",
        "costspan: no meter for output_cost_per_image: 1 model, for instance "
        "together_ai/new/model-9",
    ]
    catalogue = catalogue_in_force(None, tmp_path / "own.toml")
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    before, after = (
        catalogue.cost(
            provider="together",
            model="new/model-9",
            usage=usage,
            at=datetime(2026, month, day, tzinfo=UTC),
        )
        for month, day in ((2, 28), (3, 1))
    )
    assert (before.status, after.total) == ("unpriced", Decimal("0.00072"))

    _, out, _ = run("import", "map.json", "--all")
    assert '"tokens.in.text" = 2' in out


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("[1]", (), "map.json: "),
        ("{", (), "map.json: "),
        ("{}", ("--from", "soon"), "--from 'soon': give a day, for instance 2026-11-01"),
    ],
)
def test_import_says_what_is_wrong(
    run: Run, tmp_path: Path, text: str, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "map.json").write_text(text, encoding="utf-8")
    code, out, err = run("import", "map.json", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def newer(tmp_path: Path, **changes: tuple[str, str]) -> Path:
    """A later catalogue as a zip file: ``prices=(old text, new text)``."""
    path = tmp_path / "newer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in FOLDER.glob("*.csv"):
            text = file.read_text(encoding="utf-8")
            for name, (old, new) in changes.items():
                if file.name == f"{name}.csv":
                    assert old in text
                    text = text.replace(old, new)
            archive.writestr(f"costspan/pricing/{file.name}", text)
        archive.writestr("costspan/pricing/version.txt", "2027-01-02+00000000\n")
    return path


MINI = "openai,gpt-4o-mini-2024-07-18,tokens.in.text,0.15,1000000,2024-07-18,"


def test_update_adds_prices_that_processes_then_use(run: Run, tmp_path: Path, home: Path) -> None:
    ended = MINI + "2027-01-01"
    cheaper = "openai,gpt-4o-mini-2024-07-18,tokens.in.text,0.1,1000000,2027-01-01,"
    file = newer(
        tmp_path,
        prices=(MINI, f"{cheaper},,,,,,newrow11\n{ended}"),
        provenance=("evidence,source,note,ids\n", "evidence,source,note,ids\nbilled,s,,newrow11\n"),
    )
    code, out, _ = run("update", str(file), "--dry-run")
    assert (code, out) == (0, "1 price would be added; 1 price would be ended\n")
    assert not home.exists()

    code, out, _ = run("update", str(file))
    assert code == 0
    assert out.splitlines()[0] == "1 price added; 1 price ended"
    assert catalogue_in_force(home, None).version.startswith("2027-01-02+")

    _, out, _ = run("gpt-4o-mini", "--at", "2027-01-15")
    assert out.splitlines()[5].split()[:2] == ["input", "0.100"]
    code, out, _ = run("update", str(file))
    assert (code, out) == (0, "nothing new: the catalogue in force has it all\n")


def test_update_refuses_another_file_than_was_meant(run: Run, tmp_path: Path, home: Path) -> None:
    file = newer(tmp_path)
    code, _, err = run("update", str(file), "--sha256", "00")
    assert code == 2
    assert "has the SHA-256 " in err
    code, _, err = run("update", __file__)
    assert code == 2
    assert "is no zip file of a catalogue, and no wheel" in err
    assert not home.exists()
