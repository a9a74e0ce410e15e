"""Tags are carried by the context and refused where they are set."""

from __future__ import annotations

import asyncio

import pytest

from costspan.middleware.tags import TagError, check_tags, current_tags, metadata_tags, tags


def test_inner_blocks_add_and_override() -> None:
    with tags(team="search", env="prod"):
        with tags(env="test", user=42):
            assert current_tags() == {"team": "search", "env": "test", "user": "42"}
        assert current_tags() == {"team": "search", "env": "prod"}
    assert current_tags() == {}


async def test_tasks_do_not_see_each_other() -> None:
    async def one(name: str) -> str:
        with tags(task=name):
            await asyncio.sleep(0.01)
            return current_tags()["task"]

    assert list(await asyncio.gather(one("a"), one("b"))) == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({f"t{i}": i for i in range(33)}, "33 tags"),
        ({"n" * 65: "x"}, "1 to 64"),
        ({"": "x"}, "1 to 64"),
        ({"a": "v" * 257}, "257 characters"),
        ({"a": None}, "NoneType"),
        ({"a": ["x"]}, "list"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_the_reason(
    given: dict[str, object], said: str
) -> None:
    with pytest.raises(TagError, match=said):
        check_tags(given)


def test_nesting_cannot_exceed_the_limit() -> None:
    with (
        tags(**{f"a{i}": i for i in range(20)}),
        pytest.raises(TagError, match="40 tags"),
        tags(**{f"b{i}": i for i in range(20)}),
    ):
        pass  # pragma: no cover - not reached


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        (None, {}),
        ("team", {}),
        ({"team": "search", "user": 42, "b": True}, {"team": "search", "user": "42", "b": "True"}),
        ({"tags": ["e:f", "nightly", "a:b:c"]}, {"e": "f", "a": "b:c", "request_tags": "nightly"}),
        ({"tags": ["x", "y"], "team": "search"}, {"team": "search", "request_tags": "x,y"}),
        ({"tags": {"env": "prod"}}, {"env": "prod"}),
        ({"trace": {"id": 1}, "list": [1], "none": None, "long": "x" * 257, "": "x", 5: "x"}, {}),
        ({"tags": [5, None]}, {}),
    ],
)  # fmt: skip
def test_litellm_7237_tags_in_the_metadata_of_a_completion(
    metadata: object, found: dict[str, str]
) -> None:
    assert metadata_tags(metadata) == found


def test_no_more_tags_than_can_be_kept() -> None:
    assert len(metadata_tags({f"name{number}": "x" for number in range(100)})) == 32
