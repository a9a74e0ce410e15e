"""The rooms: every subpackage is packaged, and imports go one way only."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS: dict[str, str] = PYPROJECT["tool"]["setuptools"]["package-dir"]
ROOMS = [name for name in FOLDERS if name.count(".") < 2]

# design: core.types <- core.usage <- core, pricing <- middleware <- exporters <- reports
#         <- dashboards <- api. A room may import from those to its left, and from itself.
ORDER: dict[str, set[str]] = {
    "core": {"core"},
    "pricing": {"core", "pricing"},
    "middleware": {"core", "pricing", "middleware"},
    "exporters": {"core", "pricing", "middleware", "exporters"},
    "reports": {"core", "pricing", "middleware", "exporters", "reports"},
    "dashboards": {"core", "pricing", "middleware", "exporters", "reports", "dashboards"},
}
# Of the core, pricing takes only the usage accounting, never a protocol or a transport.
ACCOUNTING = {
    "types", "usage", "accounting", "fees", "naming", "paths", "plain", "recognition", "served",
    "sides",
}  # fmt: skip


def modules(room: str) -> Iterator[Path]:
    yield from sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "costspan":
                yield from (f"costspan.{alias.name}" for alias in node.names)
            elif node.module:
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_folder_with_an_init_is_a_package() -> None:
    found = {
        str(init.parent.relative_to(ROOT))
        for room in ROOMS
        for init in (ROOT / FOLDERS[room]).rglob("__init__.py")
    }

    assert found == set(FOLDERS.values())
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == set(FOLDERS)


def test_every_data_file_has_a_packaged_suffix() -> None:
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["*"]
    suffixes = {pattern.removeprefix("*") for pattern in patterns}
    forgotten = [
        path
        for folder in FOLDERS.values()
        for path in (ROOT / folder).iterdir()
        if path.is_file() and path.suffix not in {".py", ".pyc"} and path.name != "py.typed"
        if path.suffix not in suffixes
    ]

    assert forgotten == []


@pytest.mark.parametrize("room", sorted(ORDER))
def test_imports_go_one_way(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path)
        if name.startswith("costspan.") and name.split(".")[1] not in ORDER[room]
    ]

    assert wrong == []


def test_pricing_takes_only_the_accounting_of_the_core() -> None:
    wrong = [
        f"{path.name} imports {name}"
        for path in modules("pricing")
        for name in imports(path)
        if name.startswith("costspan.core") and name.split(".")[2] not in ACCOUNTING
    ]

    assert wrong == []


def test_adapters_stand_over_the_rest_of_the_middleware() -> None:
    """They use it, and only what is given a client chooses one of them."""
    users = {
        path.name
        for path in (ROOT / "middleware").glob("*.py")
        if any(name.startswith("costspan.middleware.adapters") for name in imports(path))
    }
    doors = ("costspan.middleware.wrap", "costspan.middleware.instrumenting")
    upwards = [
        f"{path.name} imports {name}"
        for path in modules("middleware/adapters")
        for name in imports(path)
        if name in doors
    ]

    assert users == {"wrap.py", "instrumenting.py"}
    assert upwards == []


def test_no_module_of_an_adapter_imports_another_s() -> None:
    """Beside the contract and what all of them are made with."""
    shared = {"methods", "patching"}
    wrong = [
        f"{path.name} imports {part}"
        for path in modules("middleware/adapters")
        for name in imports(path)
        if name.startswith("costspan.middleware.adapters.")
        if (part := name.split(".")[3]) not in shared
        if part.partition("_")[0] != path.stem.partition("_")[0]
    ]

    assert wrong == []


def test_types_stand_leftmost_and_usage_next() -> None:
    of_types = [n for n in imports(ROOT / "core/types.py") if n.startswith("costspan")]
    of_usage = {
        name.split(".")[2] for name in imports(ROOT / "core/usage.py") if "costspan" in name
    }

    assert of_types == []
    assert of_usage <= ACCOUNTING


def test_httpx_lives_behind_two_modules_of_the_core() -> None:
    users = {
        str(path.relative_to(ROOT))
        for room in ("core", "pricing", "middleware", "exporters", "reports", "dashboards", "api")
        for path in modules(room)
        if any(name.partition(".")[0] in ("httpx", "httpx2") for name in imports(path))
    }

    assert users == {"core/transport.py", "core/clients.py"}


@pytest.mark.parametrize("room", ["core", "pricing", "middleware", "exporters", "api"])
def test_no_module_is_long(room: str) -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in modules(room)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    ]

    assert long == []
