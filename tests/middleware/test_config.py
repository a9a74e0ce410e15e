"""Where the configuration comes from, and what its errors say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from costspan.middleware.config import ConfigError, load


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_without_any_file(tmp_path: Path) -> None:
    config = load({}, tmp_path)

    assert config.file is None
    assert config.exporters == ("ledger", "otel")
    assert [(key, source) for key, _, source in config.rows()] == [
        ("home", "default"),
        ("exporters", "default"),
        ("tags", "default"),
        ("hashed_tags", "default"),
        ("aliases", "default"),
        ("billing_mode", "default"),
        ("prices", "default"),
        ("sync", "default"),
        ("spool_limit_mb", "default"),
        ("endpoints", "default"),
        ("include_usage", "default"),
        ("native_spans", "default"),
    ]


def test_servers_of_ones_own(tmp_path: Path) -> None:
    file = """
        [endpoints.intranet]
        base_url = "https://llm.intranet.example/v1"
        key = "INTRANET_KEY"
        unsupported = ["seed"]

        [endpoints.lab]
        base_url = "http://127.0.0.1:9000"
        protocol = "ollama"
    """
    write(tmp_path / "costspan.toml", file)
    config = load({}, tmp_path)
    intranet, lab = config.endpoints["intranet"], config.endpoints["lab"]
    assert (intranet.provider, intranet.base_url) == ("intranet", "https://llm.intranet.example/v1")
    assert (intranet.key, intranet.key_required, intranet.unsupported) == (
        ("INTRANET_KEY",),
        True,
        ("seed",),
    )
    assert (lab.protocol, lab.key_required, lab.key) == ("ollama", False, ())
    shown = {key: value for key, value, _ in config.rows()}["endpoints"]
    assert shown == "intranet=https://llm.intranet.example/v1, lab=http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("endpoints = 5", "endpoints = 5: a table for each server"),
        ("endpoints.lab = 5", "endpoints.lab: give a table with a base_url"),
        ("[endpoints.lab]\nkey = 'K'", "endpoints.lab: give a table with a base_url"),
        ("[endpoints.lab]\nbase_url = 'http://x'\nkye = 'K'", "endpoints.lab.kye does not exist"),
        ("[endpoints.lab]\nbase_url = 'http://x'\nkey = 5", "endpoints.lab.key = 5: give a list"),
        (
            "[endpoints.lab]\nbase_url = 'http://x'\ninclude_usage = 1",
            "endpoints.lab.include_usage = 1: give true or false",
        ),
        (
            "[endpoints.lab]\nbase_url = 'http://x'\nprotocol = 'soap'",
            "endpoints.lab.protocol = 'soap': allowed are chat, messages",
        ),
    ],
)
def test_servers_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path / "costspan.toml", text)
    with pytest.raises(ConfigError) as caught:
        load({}, tmp_path)
    assert said in str(caught.value)


def test_order_of_the_three_places(tmp_path: Path) -> None:
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir()
    cwd.mkdir()
    in_home = write(home / "costspan.toml", 'tags = {from = "home"}')
    env = {"COSTSPAN_HOME": str(home)}
    assert load(env, cwd).tags == {"from": "home"}
    assert load(env, cwd).file == in_home

    write(cwd / "costspan.toml", 'tags = {from = "cwd"}')
    assert load(env, cwd).tags == {"from": "cwd"}

    named = write(tmp_path / "named.toml", 'tags = {from = "named"}')
    assert load({**env, "COSTSPAN_CONFIG": str(named)}, cwd).tags == {"from": "named"}


def test_environment_overrides_the_files_home(tmp_path: Path) -> None:
    write(tmp_path / "costspan.toml", 'home = "/from/file"\nbilling_mode = "plan"')
    config = load({"COSTSPAN_HOME": "/from/env"}, tmp_path)

    assert config.home == "/from/env"
    assert config.sources["home"] == "COSTSPAN_HOME"
    assert config.sources["billing_mode"].endswith("costspan.toml")
    assert load({}, tmp_path).home == "/from/file"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", r"unknown key 'colour'; allowed: home, exporters, tags"),
        ("home = 3", r"home = 3: give a folder"),
        ('exporters = ["duckdb"]', r"exporters = \['duckdb'\]: a list of ledger, otel"),
        ('exporters = "ledger"', "a list of ledger, otel"),
        ('billing_mode = "free"', "billing_mode = 'free': one of metered, plan"),
        ('aliases = {m = "gpt-4o"}', r"aliases.m = 'gpt-4o': give provider/model"),
        ("tags = 1", "tags = 1: a table"),
        ('hashed_tags = "user"', "hashed_tags = 'user': a list of names of tags"),
        ("hashed_tags = [1]", r"hashed_tags = \[1\]: a list of names of tags"),
        ("tags = {a = [1]}", "tags: tag 'a': a list is no tag value"),
        ("= nonsense", "cannot be read as TOML"),
    ],
)
def test_errors_name_file_key_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "costspan.toml", text)

    with pytest.raises(ConfigError, match=said) as caught:
        load({}, tmp_path)
    assert str(file) in str(caught.value)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"COSTSPAN_CONFIG names .*: mend or unset it"):
        load({"COSTSPAN_CONFIG": str(tmp_path / "none.toml")}, tmp_path)


def test_how_the_ledger_records(tmp_path: Path) -> None:
    (tmp_path / "costspan.toml").write_text('sync = "always"\nspool_limit_mb = 64\n')
    found = load({}, tmp_path)
    assert (found.sync, found.spool_limit_mb) == ("always", 64)
    default = load({}, tmp_path / "..")
    assert (default.sync, default.spool_limit_mb) == ("interval", 1024)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('sync = "often"', "sync = 'often': one of interval, always"),
        ("spool_limit_mb = 0", "spool_limit_mb = 0: a whole number of megabytes"),
        ("spool_limit_mb = true", "spool_limit_mb = True: a whole number of megabytes"),
        ("spool_limit_mb = 1.5", "spool_limit_mb = 1.5: a whole number of megabytes"),
    ],
)
def test_how_the_ledger_cannot_record(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "costspan.toml").write_text(line)
    with pytest.raises(ConfigError, match=re.escape(said)):
        load({}, tmp_path)


def test_tags_of_the_environment_come_over_those_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "costspan.toml", '[tags]\nteam = "search"\nenv = "test"\n')
    config = load({"COSTSPAN_TAGS": "env=prod,user=42"}, tmp_path)

    assert config.tags == {"team": "search", "env": "prod", "user": "42"}
    shown = {key: (value, source) for key, value, source in config.rows()}["tags"]
    assert shown == (
        "team=search, env=prod, user=42",
        f"{tmp_path / 'costspan.toml'} and COSTSPAN_TAGS",
    )
    with pytest.raises(ConfigError, match="COSTSPAN_TAGS: 'prod': write tags as name=value"):
        load({"COSTSPAN_TAGS": "prod"}, tmp_path)


@pytest.mark.parametrize("key", ["include_usage", "native_spans"])
def test_switches(key: str, tmp_path: Path) -> None:
    file = write(tmp_path / "costspan.toml", f"{key} = true\n")
    assert getattr(load({}, tmp_path), key) is True
    write(file, f'{key} = "yes"\n')
    with pytest.raises(ConfigError, match=f"{key} = 'yes': true or false"):
        load({}, tmp_path)
