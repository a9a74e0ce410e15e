"""Arguments are checked before anything is sent, and the errors say what is meant."""

from __future__ import annotations

from typing import Any

import pytest

from costspan.core.errors import BadRequestError
from costspan.core.params import checked_messages, checked_params


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [
        ("temperature", 2.1, "from 0 to 2"),
        ("temperature", -0.1, "from 0 to 2"),
        ("temperature", "warm", "from 0 to 2"),
        ("temperature", True, "from 0 to 2"),
        ("temperature", float("nan"), "from 0 to 2"),
        ("top_p", 1.01, "from 0 to 1"),
        ("frequency_penalty", -2.5, "from -2 to 2"),
        ("presence_penalty", 3, "from -2 to 2"),
        ("max_tokens", 0, "1 or more"),
        ("max_completion_tokens", 0, "1 or more"),
        ("n", 0, "1 or more"),
        ("top_logprobs", 21, "from 0 to 20"),
        ("thinking_budget", 0, "1 or more"),
        ("n", 1.5, "1 or more, a whole number"),
        ("max_tokens", 100.5, "1 or more, a whole number"),
        ("seed", "7", "any, a whole number"),
    ],
)
def test_ranges(name: str, value: Any, bounds: str) -> None:
    with pytest.raises(BadRequestError, match=f"{name}=.* is out of range: it must be {bounds}"):
        checked_params({name: value})


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 0},
        {"temperature": 2},
        {"top_p": 1.0},
        {"frequency_penalty": -2.0, "presence_penalty": 2.0},
        {"max_tokens": 1},
        {"max_tokens": 5, "max_completion_tokens": 5},
    ],
)
def test_values_within_their_range_are_kept(params: dict[str, Any]) -> None:
    assert checked_params(params) == params


def test_one_bound_under_two_names() -> None:
    with pytest.raises(BadRequestError, match="one bound under two names"):
        checked_params({"max_tokens": 5, "max_completion_tokens": 6})


def test_none_is_not_given_and_metadata_is_not_sent() -> None:
    assert checked_params({"temperature": None, "metadata": {"tags": ["a"]}, "n": 1}) == {"n": 1}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("temprature", "did you mean temperature?"),
        ("max_token", "did you mean max_tokens?"),
        ("apikey", "did you mean api_key?"),
        ("foo_bar", "unknown argument 'foo_bar': What only the provider knows"),
    ],
)
def test_litellm_unknown_arguments_are_errors(name: str, said: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        checked_params({name: 1})
    assert said in str(caught.value)
    assert f"extra_body={{{name!r}: ...}}" in str(caught.value)


class Dumps:
    """What SDK messages look like."""

    def model_dump(self, *, exclude_none: bool) -> dict[str, object]:
        assert exclude_none
        return {"role": "assistant", "content": "Hi"}


def test_messages_of_sdks_are_taken() -> None:
    user = {"role": "user", "content": "a"}
    assert checked_messages((user, Dumps())) == [user, {"role": "assistant", "content": "Hi"}]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ("Hello", "messages must be a list"),
        ({"role": "user"}, "messages must be a list"),
        (None, "messages must be a list"),
        ([], "messages is empty"),
        (["Hello"], r"messages\[0\] must be a mapping with a role"),
        ([{"role": "user"}, {"content": "x"}], r"messages\[1\] must be a mapping with a role"),
        ([{"role": None}], r"messages\[0\]"),
    ],
)
def test_messages_that_are_none(messages: Any, said: str) -> None:
    with pytest.raises(BadRequestError, match=said):
        checked_messages(messages)


@pytest.mark.parametrize("given", [{"5": 101}, {"5": "much"}, [5], "5"])
def test_a_bias_is_from_minus_100_to_100(given: Any) -> None:
    with pytest.raises(BadRequestError, match=r"logit_bias must map .* from -100 to 100"):
        checked_params({"logit_bias": given})


@pytest.mark.parametrize("name", ["reasoning_effort", "service_tier", "user", "verbosity"])
def test_texts_are_texts(name: str) -> None:
    with pytest.raises(BadRequestError, match=f"{name}=.*it must be a text"):
        checked_params({name: ["low"]})


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("custom_llm_provider", "before the model's name"),
        ("headers", "extra_headers="),
        ("stream_timeout", "between_tokens_timeout_s"),
        ("context_window_fallback_dict", "fallbacks="),
    ],
)
def test_arguments_of_litellm_say_what_does_the_same(name: str, cure: str) -> None:
    with pytest.raises(BadRequestError, match=f"unknown argument '{name}'.*{cure}") as caught:
        checked_params({name: "x"})
    assert "extra_body" not in str(caught.value)
