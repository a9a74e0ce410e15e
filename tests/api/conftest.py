"""A ledger's folder that is in force, commands on it, and a default Meter that keeps its calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell

import costspan
from costspan import meter as meters

NAMES = ("COSTSPAN_CONFIG", "COSTSPAN_PRICES", "COSTSPAN_DISABLED", "COLUMNS", "NO_COLOR")


@pytest.fixture
def home(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder for the ledger, in force; nothing of the user's configuration is."""
    folder = tmp_path / "home"
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.setattr("tempfile.tempdir", None)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COSTSPAN_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def shell(home: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands on the ledger in `home`."""
    return Shell(capsys)


@pytest.fixture
def memory() -> Iterator[costspan.InMemoryExporter]:
    """The default Meter keeps its calls in memory."""
    exporter = costspan.InMemoryExporter()
    previous = meters.set_default_meter(costspan.Meter(exporters=[exporter]))
    yield exporter
    meters.set_default_meter(previous)
