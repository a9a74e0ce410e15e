"""The one guard: counts all failures, logs the first of a kind, lets cancellations through."""

from __future__ import annotations

import asyncio
import logging

import pytest

from costspan.middleware.guard import Guard


class RustPanic(BaseException):
    """Stands for pyo3's PanicException, which is no Exception."""


def raising(error: BaseException) -> None:
    raise error


def test_result_passes() -> None:
    assert Guard().run("step", lambda: 7) == 7


@pytest.mark.parametrize("error", [ValueError("x"), RustPanic(), RecursionError(), MemoryError()])
def test_failure_is_swallowed_and_counted(error: BaseException) -> None:
    guard = Guard()

    assert guard.run("step", raising, error) is None
    assert guard.failures == {"step": 1}


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(), GeneratorExit(), asyncio.CancelledError()]
)
def test_cancellation_is_not_ours_to_swallow(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Guard().run("step", raising, error)


def test_only_the_first_of_a_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard()
    with caplog.at_level(logging.WARNING, logger="costspan"):
        for _ in range(3):
            guard.run("settle", raising, ValueError("secret prompt"))
        guard.run("settle", raising, KeyError("other"))

    assert len(caplog.records) == 2
    assert guard.failures == {"settle": 4}
    assert "settle failed" in caplog.records[0].getMessage()
