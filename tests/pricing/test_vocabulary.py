"""The vendored vocabularies: whole, offline, lazy, safe with threads and forks."""

from __future__ import annotations

import gzip
import hashlib
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import costspan.pricing.vocabulary as vocabulary
from costspan.pricing.vocabulary import SHA256, Vocabularies, VocabularyError

FOLDER = Path(vocabulary.__file__).parent


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_the_content_is_what_tiktoken_publishes(name: str) -> None:
    raw = gzip.decompress((FOLDER / f"{name}.tiktoken.gz").read_bytes())
    assert hashlib.sha256(raw).hexdigest() == SHA256[name]
    assert [int(line.split()[1]) for line in raw.splitlines()[:3]] == [0, 1, 2]


# Ids as tiktoken's own documentation and tests give them.
KNOWN = [
    ("o200k_base", "hello world", [24912, 2375]),
    ("cl100k_base", "hello world", [15339, 1917]),
    ("cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
    ("cl100k_base", "rer", [38149]),
    ("cl100k_base", "'rer", [2351, 81]),
    ("cl100k_base", "today\n ", [31213, 198, 220]),
    ("cl100k_base", "today\n \n", [31213, 27907]),
    ("cl100k_base", "today\n  \n", [31213, 14211]),
]


@pytest.mark.parametrize(("name", "text", "ids"), KNOWN)
def test_known_ids(name: str, text: str, ids: list[int]) -> None:
    assert vocabulary.load(name).encode_ordinary(text) == ids


def test_a_vocabulary_is_loaded_once() -> None:
    first = vocabulary.load("o200k_base")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(vocabulary.load("o200k_base")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [first] * 4
    assert vocabulary.loaded("o200k_base") is first


def test_an_unknown_vocabulary_is_refused_by_name() -> None:
    with pytest.raises(VocabularyError, match="no vocabulary 'gpt2': there are o200k_base"):
        vocabulary.load("gpt2")


def damaged(folder: Path, how: str) -> Vocabularies:
    good = (FOLDER / "cl100k_base.tiktoken.gz").read_bytes()
    path = folder / "cl100k_base.tiktoken.gz"
    if how == "cut":
        path.write_bytes(good[: len(good) // 2])
    elif how == "flipped":
        raw = bytearray(gzip.decompress(good))
        raw[100] ^= 1
        path.write_bytes(gzip.compress(bytes(raw), 1))
    elif how == "junk":
        path.write_bytes(b"not gzip at all")
    return Vocabularies(folder)


@pytest.mark.parametrize("how", ["cut", "flipped", "junk", "missing"])
def test_tiktoken_330_a_damaged_vocabulary_is_found_and_told_once(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = damaged(tmp_path, how)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(VocabularyError, match="cl100k_base"):
                broken.load("cl100k_base")
        broken.load_in_background("cl100k_base")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert broken.loaded("cl100k_base") is None


def test_loading_in_the_background_never_blocks_and_is_idempotent() -> None:
    fresh = Vocabularies()
    assert fresh.loaded("cl100k_base") is None
    before = threading.active_count()
    for _ in range(3):
        fresh.load_in_background("cl100k_base")
    assert threading.active_count() <= before + 1
    assert fresh.load("cl100k_base") is fresh.loaded("cl100k_base")


FORK = """
import os, sys
from costspan.pricing.vocabulary import Vocabularies
parent = Vocabularies()
parent.load_in_background("cl100k_base")  # holds the lock while it loads
pid = os.fork()
if pid == 0:
    parent.load_in_background("cl100k_base")
    ok = parent.load("cl100k_base").encode_ordinary("hello world") == [15339, 1917]
    os._exit(0 if ok else 1)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert parent.load("cl100k_base") is not None
sys.exit(code)
"""


def test_a_half_done_load_is_begun_again_after_a_fork() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], timeout=60, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


OFFLINE = """
import socket, sys, os
def refuse(*args, **kwargs):
    raise SystemExit("a socket was opened")
socket.socket.connect = refuse
socket.create_connection = refuse
os.environ["TIKTOKEN_CACHE_DIR"] = "/nonexistent/for/sure"
import costspan, costspan.pricing
heavy = {"tiktoken", "httpx", "duckdb", "opentelemetry", "requests"} & set(sys.modules)
assert not heavy, heavy
from costspan.pricing.tokens import counter_for
assert counter_for("o200k_base", wait=True).count("hello world") == 2
assert "tiktoken.registry" not in sys.modules or not sys.modules["tiktoken.registry"].ENCODINGS
"""


@pytest.mark.parametrize("report", ["tiktoken-369", "litellm-19852", "tiktoken-75"])
def test_the_first_run_needs_no_network_and_no_cache_folder(report: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_program_that_ends_while_the_vocabulary_loads_ends_quietly() -> None:
    """A user's trial, 2026-11: a traceback of the loading thread in 4 of 30 short programs."""
    code = """
import sys, time
from costspan.pricing import vocabulary
vocabulary.load_in_background("o200k_base")
time.sleep(float(sys.argv[1]))
"""
    for delay_ms in range(0, 60, 4):
        done = subprocess.run(
            [sys.executable, "-c", code, str(delay_ms / 1000)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


AT_EXIT = """
import atexit, threading, time
from costspan.pricing import vocabulary
atexit.register(time.sleep, 0.3)  # others are at work while the vocabulary loads
atexit.register(vocabulary.load_in_background, "cl100k_base")
threading._register_atexit(vocabulary.load_in_background, "o200k_base")
"""


def test_a_load_that_begins_at_exit_is_quiet() -> None:
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", AT_EXIT],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
