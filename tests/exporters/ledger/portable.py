"""Runs costspan as on Windows or macOS, as far as Linux can play them.

What those platforms have not is taken away, and Windows' rules about open files are enforced: one
cannot be renamed, replaced or removed, a mapped one cannot be cut, a lock is one of `msvcrt`. The
rest (other Pythons, other file systems) is Linux still.

Usage: python portable.py PLATFORM COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import asyncio.subprocess  # noqa: F401, what is not ours is imported as on Linux
import builtins
import contextlib
import errno
import io
import json
import os
import random  # noqa: F401
import signal
import subprocess  # noqa: F401
import sys
import tempfile  # noqa: F401
import threading
import uuid  # noqa: F401
import zoneinfo  # noqa: F401
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click  # noqa: F401
import orjson
import rich.console

_NOT_ON_MACOS = ("fdatasync", "posix_fallocate", "posix_fadvise", "sendfile")
_NOT_ON_WINDOWS = (
    *_NOT_ON_MACOS,
    *("register_at_fork", "fork", "forkpty", "getuid", "geteuid", "getgid", "getegid"),
    *("getgroups", "fchmod", "fchown", "chown", "lchown", "set_blocking", "get_blocking"),
    *("O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "killpg", "setsid", "getpgid", "nice", "uname"),
    *("pread", "pwrite", "sched_getaffinity", "mkfifo"),
)
_MODULES = ("fcntl", "resource", "grp", "pwd", "termios", "pty", "tty", "syslog")


def become(platform: str) -> None:
    """Turn this process into one on another platform."""
    vars(sys)["platform"] = platform
    if platform == "win32":
        sys.modules["msvcrt"] = _msvcrt()
        _enforce_rules_about_open_files()
        for name in _MODULES:
            sys.modules.pop(name, None)
        sys.meta_path.insert(0, _NoSuchModule())
    for name in _NOT_ON_WINDOWS if platform == "win32" else _NOT_ON_MACOS:
        vars(os).pop(name, None)
    _hide_proc()


class _NoSuchModule:
    """Finds that a module is not there."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in _MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _msvcrt() -> ModuleType:
    """Windows' locks of byte ranges, which belong to a handle, by Linux' locks that do too."""
    import fcntl

    module: Any = ModuleType("msvcrt")
    module.LK_UNLCK, module.LK_NBLCK = 0, 2

    def locking(fd: int, mode: int, size: int) -> None:
        at = os.lseek(fd, 0, os.SEEK_CUR)
        assert size == 1, "one byte is enough"
        assert os.fstat(fd).st_size < at < 2**31, "a locked byte cannot be read or written"
        try:
            fcntl.flock(fd, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None

    module.locking = locking
    return module  # type: ignore[no-any-return]


def _enforce_rules_about_open_files() -> None:
    import fcntl

    rename, replace, unlink = os.rename, os.replace, os.unlink
    ftruncate, fsync, set_wakeup_fd = os.ftruncate, os.fsync, signal.set_wakeup_fd

    def not_open(*paths: object) -> None:
        for path in paths:
            if isinstance(path, (str, Path)) and os.path.realpath(path) in _open_files():
                raise PermissionError(errno.EACCES, "being used by another process", str(path))

    def windows_rename(source: Any, target: Any, **options: Any) -> None:
        not_open(source)
        if os.path.exists(target):
            raise FileExistsError(errno.EEXIST, "already exists", str(target))
        rename(source, target, **options)

    def windows_replace(source: Any, target: Any, **options: Any) -> None:
        not_open(source, target)
        replace(source, target, **options)

    def windows_unlink(path: Any, **options: Any) -> None:
        if options.get("dir_fd") is None:
            not_open(path)
        unlink(path, **options)

    def windows_ftruncate(fd: int, size: int) -> None:
        if os.path.realpath(f"/proc/self/fd/{fd}") in _mapped_files():
            raise OSError(errno.EINVAL, "a mapped file cannot be cut")
        ftruncate(fd, size)

    def windows_fsync(fd: int) -> None:
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        fsync(fd)

    def windows_set_wakeup_fd(fd: int, **options: Any) -> int:
        if fd >= 0:  # there, a pipe may block
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)
        return set_wakeup_fd(fd, **options)

    vars(signal)["set_wakeup_fd"] = windows_set_wakeup_fd
    vars(os).update(
        rename=windows_rename,
        replace=windows_replace,
        unlink=windows_unlink,
        remove=windows_unlink,
        ftruncate=windows_ftruncate,
        fsync=windows_fsync,
    )


def _open_files() -> set[str]:
    """The files that any process has open or mapped."""
    found = _mapped_files()
    for process in _processes():
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    found.add(os.readlink(f"/proc/{process}/fd/{fd}"))
    return found


def _mapped_files() -> set[str]:
    found = set()
    for process in _processes():
        with contextlib.suppress(OSError), _open(f"/proc/{process}/maps") as maps:
            found |= {line.rstrip("\n")[73:] for line in maps if ".seg" in line}
    return found


def _processes() -> Iterator[str]:
    return filter(str.isdecimal, os.listdir("/proc"))


_open = open


def _hide_proc() -> None:
    def elsewhere(file: Any, *arguments: Any, **options: Any) -> Any:
        if str(file).startswith("/proc"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(file))
        return _open(file, *arguments, **options)

    vars(builtins)["open"] = vars(io)["open"] = elsewhere


# What is run there.


def record(calls: str) -> None:
    """Wrap and call from three threads, wait for a line, call once more and end as programs do."""
    import costspan

    meter = costspan.Meter(exporters=["ledger"])
    ask = costspan.wrap(_answer, meter=meter)

    def some() -> None:
        for _ in range(int(calls)):
            ask(model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}])

    threads = [threading.Thread(target=some) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.flush()
    duckdb = "duckdb" in sys.modules
    exporter: Any = meter.exporters[0]
    health = exporter.health()
    said = {"home": str(health.home), "mode": health.mode, "lost": health.lost, "duckdb": duckdb}
    print(json.dumps(said), flush=True)
    sys.stdin.readline()
    ask(model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}])


def _answer(**asked: object) -> dict[str, object]:
    return {
        "id": "1",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "Hello."}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }


def put(home: str, lines: str) -> None:
    """Put into small segments, so that many come and go; print how many were lost."""
    from costspan.exporters.home import Home
    from costspan.exporters.ledger.spool import Writer

    folder = Home(Path(home), named=True, fallback=False, reason="named by the test")
    writer = Writer(folder, record_version=1, segment_bytes=1 << 13)
    line = _line()
    for _ in range(int(lines)):
        writer.put(line)
    writer.close()
    print(json.dumps({"lost": writer.lost, "last_error": writer.last_error}))


def put_watched(home: str, lines: str) -> None:
    """The same, with somebody who holds each new segment for a moment, as a merge that looks."""
    msvcrt: Any = sys.modules["msvcrt"]
    make = os.open
    letting_go: list[threading.Timer] = []

    def watched(path: Any, flags: int, mode: int = 0o777) -> int:
        fd = make(path, flags, mode)
        if str(path).endswith(".seg") and flags & os.O_CREAT:
            other = make(path, os.O_RDONLY)
            os.lseek(other, 2**31 - 2, os.SEEK_SET)
            msvcrt.locking(other, 2, 1)
            letting_go.append(threading.Timer(0.02, os.close, [other]))
            letting_go[-1].start()
        return fd

    vars(os)["open"] = watched
    put(home, lines)


def merge_while_read(home: str) -> None:
    """Merge while somebody (a virus scanner) reads a segment and what was published.

    Print the rows of it and of a second merge, and the number of segments after each.
    """
    from costspan.exporters.ledger.merge import merge

    folder = Path(home)
    put(home, "10")
    merge(home)
    put(home, "10")

    def read(point: str) -> None:
        if point == "checkpointed":  # what comes next is publishing
            fd = os.open(folder / "published" / "spend.json", os.O_RDONLY)
            threading.Timer(0.05, os.close, [fd]).start()

    found = []
    with open(next((folder / "spool").iterdir()), "rb"):
        for _ in range(2):
            found.append([merge(home, hook=read).rows, len(os.listdir(folder / "spool"))])
    found.append([merge(home).rows, len(os.listdir(folder / "spool"))])
    print(json.dumps(found))


def _end_of_input() -> threading.Event:
    told = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        told.set()

    threading.Thread(target=wait, daemon=True).start()
    return told


def _line() -> bytes:
    from uuid import UUID

    return orjson.dumps(
        {
            "call_id": str(UUID(int=1)),
            "record_version": 1,
            "started_at": 1,
            "ended_at": 2,
            "status": "ok",
            "cost_status": "priced",
            "cost_usd": "0.000001",
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def merge_until_told(home: str) -> None:
    """Merge again and again until standard input ends; print how many rows came in."""
    from costspan.exporters.ledger.merge import merge

    rows = 0
    told = _end_of_input()
    while not told.is_set():
        rows += merge(home, wait_s=1).rows
    print(json.dumps({"rows": rows + merge(home, wait_s=1).rows}))


def command(*words: str) -> None:
    """A command of the command line."""
    from costspan.cli import main

    rich.console.Console()
    main(words)


def break_rules(folder: str) -> None:
    """Do what Windows forbids, and print what came of it."""
    import mmap

    path, free = Path(folder) / "some.seg", Path(folder) / "free"
    free.write_bytes(b"1")
    with open(path, "w+b") as file, open(path, "rb") as reading:
        file.write(b"1")
        file.flush()
        with mmap.mmap(file.fileno(), 1):
            forbidden: tuple[Callable[[], object], ...] = (
                lambda: os.rename(path, path.with_name("other")),
                lambda: os.replace(free, path),
                path.unlink,
                lambda: os.remove(path),
                lambda: os.ftruncate(file.fileno(), 0),
                lambda: os.fsync(reading.fileno()),
                lambda: __import__("fcntl"),
                lambda: os.fork(),
            )
            print(json.dumps([_error_of(one) for one in forbidden]))


def _error_of(forbidden: Callable[[], object]) -> str | None:
    try:
        forbidden()
    except (OSError, ImportError, AttributeError) as error:
        return type(error).__name__
    return None


COMMANDS: dict[str, Callable[..., None]] = {
    "break_rules": break_rules,
    "record": record,
    "put": put,
    "put_watched": put_watched,
    "merge_while_read": merge_while_read,
    "merge_until_told": merge_until_told,
    "command": command,
}

if __name__ == "__main__":
    if sys.argv[2] != "record":
        import duckdb  # noqa: F401
    become(sys.argv[1])
    COMMANDS[sys.argv[2]](*sys.argv[3:])
