"""What an update takes from a newer catalogue, and what it leaves as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from costspan.pricing.errors import UpdateError
from costspan.pricing.files import BY_HAND, COLUMNS
from costspan.pricing.update import updated

OPEN = "x,a,tokens.in.text,2,1000000,2026-01-01,,,,,,,r1"
SMALL = {
    "prices.csv": OPEN,
    "patterns.csv": "x,*,fee.search,1,1000,2026-01-01,,,,,,,f1",
    "aliases.csv": "x,latest,a,2026-01-01,,https://x.example,",
    "multipliers.csv": ("m1,0.5,tokens.,x,*,tier,in,batch,2026-01-01,,billed,https://x.example,"),
    "schedules.csv": "night,UTC,1-7,22:00-06:00,2026-12-25,completion,https://x.example",
    "models.csv": "x,a,1000,100,2026-01-01,,text->text,,tools",
    "provenance.csv": "billed,https://x.example,,r1 f1",
}


def catalogue(day: str = "2026-11-25", **changes: str) -> dict[str, str]:
    """A small catalogue; ``prices="..."`` replaces the rows of that file."""
    rows = {**SMALL, **{f"{name}.csv": text for name, text in changes.items()}}
    texts = {name: f"{COLUMNS[name]}\n{text}\n" for name, text in rows.items()}
    hand = dict.fromkeys(BY_HAND, "provider,model,source\nx,a,s\n")
    return {**texts, **hand, "version.txt": f"{day}+00000000\n"}


def newer(**changes: str) -> dict[str, str]:
    return catalogue("2026-12-10", **changes)


def rows(text: str) -> list[str]:
    return text.splitlines()[1:]


def test_the_same_catalogue_changes_nothing() -> None:
    update = updated(catalogue(), catalogue(), "new.zip")
    assert not update.changed
    assert (update.added, update.ended, update.kept) == ({}, {}, [])


def test_a_new_price_ends_the_old_one_and_both_stay() -> None:
    ended = OPEN.replace("2026-01-01,,", "2026-01-01,2026-12-01,")
    cheaper = "x,a,tokens.in.text,1,1000000,2026-12-01,,,,,,,r2"
    theirs = newer(
        prices=f"{ended}\n{cheaper}", provenance="provider-page,https://new.example,,r1 r2 f1"
    )
    update = updated(catalogue(), theirs, "new.zip")
    assert rows(update.texts["prices.csv"]) == [cheaper, ended]
    assert (update.added, update.ended) == ({"prices.csv": 1}, {"prices.csv": 1})
    # Ours keeps its own source.
    assert rows(update.texts["provenance.csv"]) == [
        "billed,https://x.example,,r1 f1",
        "provider-page,https://new.example,,r2",
    ]
    assert update.version.startswith("2026-12-10+")
    assert update.texts["version.txt"] == update.version + "\n"


def test_nothing_is_deleted() -> None:
    theirs = newer(prices="x,b,tokens.in.text,3,1000000,2026-01-01,,,,,,,r9", aliases="x,n,b,,,s,",
                   provenance="billed,s,,r9 f1")  # fmt: skip
    update = updated(catalogue(), theirs, "new.zip")
    assert OPEN in rows(update.texts["prices.csv"])
    assert len(rows(update.texts["aliases.csv"])) == 2


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"prices": OPEN.replace(",2,", ",9,")},
         "x a tokens.in.text 2026-01-01: amount_usd 2, not 9"),
        (
            {"aliases": "x,latest,b,2026-01-01,,https://x.example,"},
            "x latest 2026-01-01: target a, not b",
        ),
        (
            {"multipliers": SMALL["multipliers.csv"].replace("0.5", "0.4")},
            "x * 2026-01-01: factor 0.5, not 0.4",
        ),
        # The same thing for the same time under another id: a corrected first day.
        (
            {"prices": OPEN.replace("2026-01-01", "2025-01-01").replace("r1", "r2"),
             "provenance": "billed,s,,r2 f1"},
            "x a tokens.in.text 2025-01-01 is not added: ours from 2026-01-01 holds",
        ),
        ({"schedules": SMALL["schedules.csv"].replace("2026-12-25", "2027-01-01")},
         "night: except_dates 2026-12-25, not 2027-01-01"),
    ],
)  # fmt: skip
def test_what_they_say_otherwise_is_told_and_ours_is_kept(
    changes: dict[str, str], kept: str
) -> None:
    update = updated(catalogue(), newer(**changes), "new.zip")
    assert update.kept == [kept]
    assert not update.changed


def test_facts_about_models_and_new_holidays_are_taken_over() -> None:
    theirs = newer(
        models="x,a,2000,100,2026-01-01,2027-01-01,text->text,,tools",
        schedules=SMALL["schedules.csv"].replace("2026-12-25", "2026-12-25;2027-01-01"),
    )
    update = updated(catalogue(), theirs, "new.zip")
    assert rows(update.texts["models.csv"]) == [
        "x,a,2000,100,2026-01-01,2027-01-01,text->text,,tools"
    ]
    assert "2026-12-25;2027-01-01" in update.texts["schedules.csv"]
    assert update.changed
    assert not update.kept


def test_rules_kept_by_hand_are_those_of_both() -> None:
    theirs = newer()
    theirs["families.csv"] = "provider,model,source\nx,b,t\n"
    update = updated(catalogue(), theirs, "new.zip")
    assert rows(update.texts["families.csv"]) == ["x,a,s", "x,b,t"]


def without(name: str) -> Callable[[], dict[str, str]]:
    return lambda: {key: text for key, text in newer().items() if key != name}


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (without("models.csv"), "new.zip: is no catalogue: models.csv is missing"),
        (
            lambda: catalogue("2026-11-24"),
            "new.zip: is of 2026-11-24, older than the catalogue in force: 2026-11-25",
        ),
        (
            lambda: newer(prices=OPEN.replace("text,2", "text,two")),
            "new.zip: prices.csv, row 2, cannot be read: ",
        ),
        (lambda: newer(prices=OPEN + ",more"), "too few or too many cells"),
        (lambda: newer(prices="x,a"), "too few or too many cells"),
        (lambda: newer(provenance="billed,s,,f1"), "row 2, cannot be read: it has no source"),
        (lambda: newer(schedules="night,Nowhere,1-7,22:00-06:00,,completion,s"), "cannot be read"),
        (
            lambda: {**newer(), "prices.csv": "provider,model\n"},
            "prices.csv has other columns: upgrade costspan",
        ),
    ],
)
def test_a_file_that_cannot_be_taken_whole_is_not_taken(
    theirs: Callable[[], dict[str, str]], said: str
) -> None:
    with pytest.raises(UpdateError) as caught:
        updated(catalogue(), theirs(), "new.zip")
    assert said in str(caught.value)
