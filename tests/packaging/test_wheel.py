"""The wheel, installed elsewhere, holds all of its data and runs the first report."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("api", "core", "pricing", "middleware", "exporters", "reports", "dashboards")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "uv", "build", "--quiet", "--out-dir", str(out), str(ROOT)],
        check=True,
        timeout=300,
    )
    return next(out.glob("*.whl"))


def test_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        str(Path("costspan") / path.relative_to(ROOT)).replace("costspan/api/", "costspan/")
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not path.parent.name.startswith(("__pycache__", "."))
    }

    assert packed == expected


def test_installed_elsewhere_it_records_and_reports(wheel: Path, tmp_path: Path) -> None:
    site, home = tmp_path / "site", tmp_path / "home"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run(
        [*install, "--python", sys.executable, "--target", str(site), str(wheel)],
        check=True,
        timeout=120,
    )
    code = """
import costspan, pathlib, sys
assert pathlib.Path(costspan.__file__).is_relative_to(sys.argv[1]), costspan.__file__
@costspan.wrap
def ask(model, messages):
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    return {"model": model, "choices": [], "usage": usage}
ask("gpt-4o-2024-08-06", [{"role": "user", "content": "hi"}])
from costspan.cli import main
sys.argv = ["costspan", "report", "--by", "model", "--format", "csv"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)],
        env={"PYTHONPATH": str(site), "COSTSPAN_HOME": str(home), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    # gpt-4o since 2024-10-02: 1,000 x $2.50 + 100 x $10.00 per million tokens.
    assert "gpt-4o-2024-08-06,1," in done.stdout
    assert ",0.0035," in done.stdout
