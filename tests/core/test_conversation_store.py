"""A conversation is saved as JSON and goes on where it was."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.core.conversation import ConversationManager
from costspan.core.conversation_store import ConversationFileError
from costspan.core.reply import (
    Choice,
    CompletionTokensDetails,
    Message,
    PromptTokensDetails,
    Reply,
    TokenUsage,
)

CALL = {"id": "t1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
USAGE = TokenUsage(10, 2, 12, PromptTokensDetails(4), CompletionTokensDetails())


class Recorder:
    """A completion function that notes what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, list[Any], dict[str, Any]]] = []

    def __call__(self, model: str, messages: Any, **arguments: Any) -> Reply:
        self.given.append((model, list(messages), arguments))
        return Reply(choices=[Choice(0, Message("assistant", "yes"), "stop")], usage=USAGE)


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    now = [5]
    chat = ConversationManager(
        "openai/m",
        "Be brief.",
        completion=Recorder(),
        token_counter=lambda model, messages: len(messages),
        clock=lambda: now[0],
        temperature=0.1,
        stop=("a", "b"),
        max_history_tokens=3,
        max_age_s=60.5,
    )
    chat.send_message("Hello")
    chat.add_message("assistant", None, tool_calls=[CALL])
    chat.save(tmp_path / "chat.json")

    recorder = Recorder()
    again = ConversationManager.load(
        tmp_path / "chat.json",
        completion=recorder,
        token_counter=lambda model, messages: len(messages),
        clock=lambda: now[0],
    )
    assert (again.model, again.get_history()) == ("openai/m", chat.get_history())
    assert (again.usage, again.replies, again.replies_without_usage) == (USAGE, 1, 0)
    assert (again.max_history_tokens, again.max_age_s) == (3, 60.5)
    now[0] = 61 * 10**9  # the turn is too old, by the times that were saved
    again.send_message("Hello again", temperature=None)
    (given,) = recorder.given
    assert given == (
        "openai/m",
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello again"}],
        {"temperature": None, "stop": ["a", "b"]},
    )
    assert again.usage is not None
    assert (again.usage.total_tokens, again.usage.prompt_tokens_details.cached_tokens) == (24, 8)


def test_what_is_given_to_load_stands_before_what_was_saved(tmp_path: Path) -> None:
    ConversationManager("m", completion=Recorder(), temperature=0.1, seed=1).save(tmp_path / "c")
    recorder = Recorder()
    again = ConversationManager.load(tmp_path / "c", completion=recorder, temperature=0.9)
    again.send_message("Hello")
    assert recorder.given[0][2] == {"temperature": 0.9, "seed": 1}


def test_no_key_no_address_and_nothing_but_json_is_saved(tmp_path: Path) -> None:
    secret = "sk-secret"
    arguments: dict[str, Any] = {
        "api_key": secret,
        "base_url": f"http://u:{secret}@127.0.0.1/",
        "api_base": f"http://127.0.0.1/?key={secret}",
        "extra_headers": {"authorization": secret},
        "extra_body": {"key": secret},
        "fallbacks": [{"model": "m", "api_key": secret}],
        "tools": [{"type": "mcp", "server_url": "https://a.test", "authorization": secret}],
        "client": object(),
        "response_format": Recorder,
        "logit_bias": {50256: float("nan")},
        "top_p": 0.5,
    }
    path = tmp_path / "chat.json"
    ConversationManager("m", completion=Recorder(), **arguments).save(path)
    assert secret not in path.read_text()
    assert document(path)["defaults"] == {
        "top_p": 0.5,
        "max_history_tokens": None,
        "max_age_s": None,
    }


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text("{}")
    path.chmod(0o644)
    ConversationManager("m", completion=Recorder()).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    chat = ConversationManager("m", completion=Recorder())
    chat.save(str(path))
    before = path.read_bytes()
    chat.add_message("user", [{"type": "text", "text": b"bytes"}])
    with pytest.raises(ConversationFileError, match=r"chat\.json: messages\[0\] cannot be saved"):
        chat.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "chat.json").mkdir()
    with pytest.raises(OSError, match=r"chat\.json"):
        ConversationManager("m", completion=Recorder()).save(tmp_path / "chat.json")
    assert [each.name for each in tmp_path.iterdir()] == ["chat.json"]


GOOD: dict[str, Any] = {
    "format": "costspan-conversation",
    "version": 1,
    "model": "m",
    "defaults": {},
    "messages": [{"at_ns": 1, "message": {"role": "user", "content": "Hello"}}],
    "spent": {"replies": 0, "replies_without_usage": 0, "usage": None},
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no JSON"),
        ("\udcff", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "its format is not 'costspan-conversation'"),
        ({**GOOD, "format": None}, "its format is not"),
        ({**GOOD, "version": 2}, "its version is 2, and this costspan reads 1: a newer one"),
        ({**GOOD, "model": ""}, "model is no name"),
        ({**GOOD, "defaults": []}, "defaults or spent is no object"),
        ({**GOOD, "defaults": {"base_url": "http://a.test"}}, "'base_url', which no file may set"),
        ({**GOOD, "defaults": {"api_key": "k"}}, "'api_key', which no file may set"),
        ({**GOOD, "defaults": {"completion": "x"}}, "'completion', which no file may set"),
        ({**GOOD, "messages": {}}, "messages is no list"),
        ({**GOOD, "messages": [[]]}, r"messages\[0\] holds no message"),
        ({**GOOD, "messages": [{"message": {"role": "user"}}]}, r"messages\[0\] has no time"),
        ({**GOOD, "messages": [{"at_ns": 1, "message": {}}]}, r"messages\[0\] has no role"),
        ({**GOOD, "spent": None}, "defaults or spent is no object"),
        ({**GOOD, "spent": {}}, "replies is no count"),
        ({**GOOD, "spent": {**GOOD["spent"], "replies": -1}}, "replies is no count"),
        ({**GOOD, "spent": {**GOOD["spent"], "replies": True}}, "replies is no count"),
        ({**GOOD, "spent": {**GOOD["spent"], "usage": 1}}, "usage is no object"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: object, said: str) -> None:
    path = tmp_path / "chat.json"
    data = text if isinstance(text, str) else json.dumps(text)
    path.write_bytes(data.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConversationFileError, match=rf"chat\.json holds no conversation: .*{said}"):
        ConversationManager.load(path, completion=Recorder())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"chat\.json"):
        ConversationManager.load(tmp_path / "chat.json", completion=Recorder())


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
parts = st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=3)
messages = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), st.text() | parts),
    max_size=5,
)


@given(said=messages, more=values, at_ns=st.integers(), seed=st.integers())
def test_everything_that_was_said_comes_back(
    tmp_path_factory: pytest.TempPathFactory, said: Any, more: Any, at_ns: int, seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.json"
    chat = ConversationManager("m", completion=Recorder(), clock=lambda: at_ns, seed=seed)
    for role, content in said:
        chat.add_message(role, content, more=more)
    chat.save(path)
    written = path.read_bytes()
    again = ConversationManager.load(path, completion=Recorder())
    assert again.get_history() == chat.get_history()
    again.save(path)
    assert path.read_bytes() == written


def test_half_a_character_comes_back(tmp_path: Path) -> None:
    """Streams that are cut inside a surrogate pair leave such texts behind."""
    chat = ConversationManager("m", "half: \ud83d", completion=Recorder())
    chat.save(tmp_path / "c")
    assert ConversationManager.load(tmp_path / "c", completion=Recorder()).messages == chat.messages


@given(st.binary(max_size=200))
def test_garbage_is_never_anything_but_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_bytes(data)
    with pytest.raises(ConversationFileError, match=r"garbage\.json"):
        ConversationManager.load(path, completion=Recorder())
