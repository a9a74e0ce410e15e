"""Where the ledger lives."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from costspan.exporters import home as module
from costspan.exporters.home import Home, HomeError, obstacle, prepare, resolve_home, verify

MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /srv/team rw,relatime shared:1 - nfs4 files:/team rw
31 30 0:41 / /srv/team/local rw,relatime - xfs /dev/vdb rw
32 22 0:42 / /mnt/two\\040words rw - cifs //files/two rw
33 22 0:43 / /mnt/hidden rw - nfs4 files:/hidden rw
34 33 0:44 / /mnt/hidden rw - tmpfs tmpfs rw
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COSTSPAN_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")


def test_an_argument_goes_before_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COSTSPAN_HOME", "/elsewhere")

    assert resolve_home(tmp_path).path == tmp_path
    assert resolve_home(None) == Home(Path("/elsewhere"), True, False, "named by COSTSPAN_HOME")


def test_who_named_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COSTSPAN_HOME", "/elsewhere")

    assert resolve_home(tmp_path).reason == "named by the configuration"
    assert resolve_home(tmp_path, by="costspan.toml").reason == "named by costspan.toml"
    # What a configuration hands on that has read the variable.
    assert resolve_home("/elsewhere", by="x").reason == "named by COSTSPAN_HOME"


def test_a_relative_name_is_fixed_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    assert resolve_home("ledger").path == tmp_path / "ledger"
    assert resolve_home("~/ledger").path == tmp_path / "ledger"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "{home}/.local/share/costspan"),
        ("linux", {"XDG_DATA_HOME": "{home}/data"}, "{home}/data/costspan"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "{home}/.local/share/costspan"),
        ("darwin", {}, "{home}/Library/Application Support/costspan"),
        ("win32", {"LOCALAPPDATA": "{home}/Local"}, "{home}/Local/costspan"),
    ],
)
def test_the_default_is_the_platforms_data_folder(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    variables: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))

    found = resolve_home()

    assert found.path == Path(expected.format(home=tmp_path))
    assert not found.named
    assert not found.fallback
    assert not found.path.exists()


def test_a_default_that_cannot_be_made_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".local").write_text("a file")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    found = resolve_home()

    assert found.fallback
    assert found.path == tmp_path / f"costspan-{os.getuid()}"
    assert str(tmp_path / ".local/share/costspan") in found.reason
    prepare(found)
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o700


def test_a_named_folder_that_cannot_be_made_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = resolve_home(tmp_path / "file" / "ledger")

    assert not found.fallback
    with pytest.raises(HomeError, match=r"file is not a folder\. Name a folder .* COSTSPAN_HOME"):
        prepare(found)


def test_prepare_creates_the_folder_for_its_owner_alone(home: Home) -> None:
    prepare(home)
    prepare(home)

    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


@pytest.mark.parametrize("planted", ["link", "open", "file"])
def test_a_planted_temporary_folder_is_refused(tmp_path: Path, planted: str) -> None:
    path = tmp_path / "costspan-0"
    if planted == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "theirs")
    elif planted == "open":
        path.mkdir()
        path.chmod(0o777)
    else:
        path.write_text("")
    fallback = Home(path, named=False, fallback=True, reason="temporary")

    with pytest.raises(HomeError, match="costspan-0"):
        prepare(fallback)
    with pytest.raises(HomeError, match="costspan-0"):
        verify(fallback)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/team/ledger", "nfs4"),
        ("/srv/team/local/ledger", "xfs"),
        ("/srv/teams", "ext4"),
        ("/mnt/two words", "cifs"),
        ("/mnt/hidden", "tmpfs"),
    ],
)
def test_the_file_system_of_a_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str, kind: str
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTINFO)
    monkeypatch.setattr(module, "_MOUNTINFO", str(tmp_path / "mountinfo"))

    assert module.file_system(Path(path)) == kind


def test_network_file_systems_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """sisig-ai/doctor#15, trinodb/trino#25802: file locks over the network say "PID 0"."""
    mounts = f"1 0 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path} rw - nfs4 x rw\n"
    (tmp_path / "mountinfo").write_text(mounts)
    monkeypatch.setattr(module, "_MOUNTINFO", str(tmp_path / "mountinfo"))

    assert obstacle(tmp_path / "new") == "is on a network file system (nfs4)"
    assert resolve_home().fallback
    with pytest.raises(HomeError, match="nfs4"):
        prepare(resolve_home(tmp_path / "named"))


def test_a_user_without_a_home_folder_gets_a_temporary_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)

    assert resolve_home().fallback
