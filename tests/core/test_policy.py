"""What a policy accepts, and what it says of the rest."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from costspan.core.errors import BadRequestError
from costspan.core.policy import DEFAULT_POLICY, Policy


@pytest.mark.parametrize("max_retries", [-1, 1.5, True, None, "2"])
def test_retries_are_counted(max_retries: Any) -> None:
    with pytest.raises(BadRequestError, match=r"max_retries=.*: it must be 0 or more"):
        Policy(max_retries=max_retries)


SECONDS = [name for name in Policy.__dataclass_fields__ if name.endswith("_s")]


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, -1, float("nan"), "5", True])
def test_seconds_are_more_than_none(name: str, value: Any) -> None:
    with pytest.raises(BadRequestError, match=f"{name}=.*: it must be more than 0 seconds"):
        Policy(**{name: value})


@pytest.mark.parametrize("name", ["first_wait_s", "max_wait_s", "max_retry_after_s"])
def test_waits_have_an_end(name: str) -> None:
    unset: Any = {name: None}
    with pytest.raises(BadRequestError, match=f"{name}=None"):
        Policy(**unset)


def test_a_policy_stays_what_it_is() -> None:
    policy = Policy(max_retries=0, deadline_s=5, between_tokens_timeout_s=0.5)
    with pytest.raises(FrozenInstanceError):
        policy.max_retries = 1  # type: ignore[misc]  # what is tested
    assert policy.limits_requests
    assert not DEFAULT_POLICY.limits_requests
    assert DEFAULT_POLICY.max_retries == 2
