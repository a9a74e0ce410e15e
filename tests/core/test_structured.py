"""Structured output: what is sent for a model class, and what comes of the answer."""

from __future__ import annotations

import json
import pickle
import traceback
from dataclasses import replace
from datetime import date
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar

import pydantic
import pytest
from anthropic import transform_schema
from hypothesis import given
from hypothesis import strategies as st
from openai.lib._parsing._completions import type_to_response_format_param

from costspan.core.errors import BadRequestError, JSONSchemaValidationError
from costspan.core.protocols.anthropic_schema import output_format
from costspan.core.reply import Choice, Message, Reply, ToolCall
from costspan.core.structured import make_readable, wire_format

T = TypeVar("T")


class Address(pydantic.BaseModel):
    """Where somebody lives."""

    street: str
    zip: str | None


class Letter(pydantic.BaseModel):
    sender: Address | None
    receivers: list[Address]
    pages: int
    day: date


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0, description="In years.")
    home: Address
    other: list[Address]


class Node(pydantic.BaseModel):
    value: int
    left: Node | None
    right: Annotated[Node | None, pydantic.Field(description="The other one.")]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Described(pydantic.BaseModel):
    colour: Annotated[Colour, pydantic.Field(description="As seen.")]
    maybe: int | None = None
    kind: Literal["a", "b"]


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]


class Owner(pydantic.BaseModel):
    pet: Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]
    rooms: int = 2


class Scores(pydantic.BaseModel):
    by_name: dict[str, int]


class Chained(pydantic.BaseModel):
    next: Annotated[Chained, pydantic.Field(description="The one after.")] | None


class Box(pydantic.BaseModel, Generic[T]):
    held: T


def reply_of(response_format: Any, *messages: Message, reason: str = "stop") -> Reply:
    """A reply with these answers, as the core makes it."""
    _, reader = wire_format(response_format)
    choices = [Choice(index, message, reason) for index, message in enumerate(messages)]
    if reader is not None:
        make_readable(choices, reader, provider="openai", model="gpt-4o")
    return Reply(choices=choices)


def answer(text: str) -> Message:
    return Message(role="assistant", content=text)


@pytest.mark.parametrize("model", [Address, Person, Node, Described])
def test_strict_schemas_are_those_of_openais_sdk(model: type[pydantic.BaseModel]) -> None:
    sent, _ = wire_format(model)
    assert sent == type_to_response_format_param(model)


@pytest.mark.parametrize("model", [Address, Letter])
def test_anthropics_schemas_are_those_of_its_sdk(model: type[pydantic.BaseModel]) -> None:
    sent = output_format(wire_format(model)[0])
    assert sent == {"type": "json_schema", "schema": transform_schema(model)}


def test_strict_schema_by_hand() -> None:
    sent, _ = wire_format(Owner)
    assert sent == {
        "type": "json_schema",
        "json_schema": {
            "name": "Owner",
            "strict": True,
            "schema": {
                "title": "Owner",
                "type": "object",
                "properties": {
                    # oneOf and its discriminator, and defaults, are not permitted in strict mode.
                    "pet": {
                        "title": "Pet",
                        "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
                    },
                    "rooms": {"title": "Rooms", "type": "integer"},
                },
                "required": ["pet", "rooms"],
                "additionalProperties": False,
                "$defs": {
                    "Cat": {
                        "title": "Cat",
                        "type": "object",
                        "properties": {
                            "kind": {"const": "cat", "title": "Kind", "type": "string"},
                            "lives": {"title": "Lives", "type": "integer"},
                        },
                        "required": ["kind", "lives"],
                        "additionalProperties": False,
                    },
                    "Dog": {
                        "title": "Dog",
                        "type": "object",
                        "properties": {
                            "kind": {"const": "dog", "title": "Kind", "type": "string"},
                        },
                        "required": ["kind"],
                        "additionalProperties": False,
                    },
                },
            },
        },
    }


def test_models_that_contain_themselves_end_somewhere() -> None:
    schema: Any = wire_format(Chained)[0]["json_schema"]
    assert schema["schema"]["type"] == "object"
    assert "$ref" in json.dumps(schema)


def test_models_are_told_by_what_they_can_do() -> None:
    class Older:
        """As pydantic before 2.9 writes a reference with something beside it."""

        @classmethod
        def model_json_schema(cls) -> dict[str, Any]:
            described = {"allOf": [{"$ref": "#/$defs/a~1b"}], "description": "One.", "default": 1}
            return {
                "$defs": {"a/b": {"type": "object", "properties": {"default": {"type": "string"}}}},
                "type": "object",
                "properties": {"one": described, "any": True, "x": {"$ref": "#", "default": 1}},
            }

        @classmethod
        def model_validate_json(cls, text: str) -> str:
            if len(text) < 3:
                raise ValueError("too short")
            return text

    closed = {
        "type": "object",
        "properties": {"default": {"type": "string"}},
        "required": ["default"],
        "additionalProperties": False,
    }
    wanted: Any = wire_format(Older)[0]["json_schema"]
    assert wanted == {
        "name": "Older",
        "strict": True,
        "schema": {
            "$defs": {"a/b": closed},
            "type": "object",
            "properties": {
                "one": {**closed, "description": "One."},
                "any": True,
                "x": {"$ref": "#"},
            },
            "required": ["one", "any", "x"],
            "additionalProperties": False,
        },
    }
    assert reply_of(Older, answer("[1]")).parsed == "[1]"
    with pytest.raises(JSONSchemaValidationError, match=r"does not fit Older\. The whole text"):
        _ = reply_of(Older, answer("{}")).parsed


def test_objects_of_any_names_are_not_strict() -> None:
    wanted: Any = wire_format(Scores)[0]["json_schema"]
    assert wanted["strict"] is False
    by_name = wanted["schema"]["properties"]["by_name"]
    assert by_name["additionalProperties"] == {"type": "integer"}


def test_names_hold_only_what_the_api_takes() -> None:
    wanted: Any = wire_format(Box[int])[0]["json_schema"]
    assert wanted["name"] == "Box_int"


def test_mappings_are_sent_as_they_are() -> None:
    for given_format in (
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        {"type": "text"},
        {"type": "regex", "pattern": "a+"},
    ):
        assert wire_format(given_format)[0] is given_format
    assert wire_format({"type": "text"})[1] is None
    assert wire_format({"type": "regex"})[1] is None


@pytest.mark.parametrize("wrong", [5, dict, "json", {"type": "json_schema"}])
def test_what_is_no_format_is_refused(wrong: Any) -> None:
    with pytest.raises(BadRequestError, match="response_format"):
        wire_format(wrong)


PERSON = {
    "name": "Ann",
    "age": 35,
    "home": {"street": "Elm 1", "zip": None},
    "other": [],
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PERSON),
        f"```json\n{json.dumps(PERSON, indent=2)}\n```",
        f"```\n{json.dumps(PERSON)}\n```",
        f"Here it is:\n\n```json\n{json.dumps(PERSON)}\n```\nAsk if you need more.",
        "\n " + json.dumps(PERSON) + "\n",
    ],
)
def test_answers_are_read(text: str) -> None:
    person = reply_of(Person, answer(text)).parsed
    assert isinstance(person, Person)
    assert (person.name, person.age, person.home.street) == ("Ann", 35, "Elm 1")
    assert reply_of({"type": "json_object"}, answer(text)).parsed == PERSON


def test_fences_within_the_json_are_text() -> None:
    value = {"code": "```json\n{}\n```"}
    assert reply_of({"type": "json_object"}, answer(json.dumps(value))).parsed == value
    fenced = f"```json\n{json.dumps(value)}\n```"
    assert reply_of({"type": "json_object"}, answer(fenced)).parsed == value


def test_nothing_is_read_where_nothing_was_asked_for() -> None:
    assert reply_of({"type": "text"}, answer("{}")).parsed is None
    assert Reply().parsed is None


def test_the_same_object_is_given_each_time_and_to_each_answer_its_own() -> None:
    other = json.dumps({**PERSON, "name": "Bob"})
    reply = reply_of(Person, answer(json.dumps(PERSON)), answer(other))
    assert reply.parsed is reply.parsed
    assert [choice.parsed.name for choice in reply.choices] == ["Ann", "Bob"]
    assert replace(reply.choices[1], index=5).parsed.name == "Bob"


def test_tools_are_called_before_there_is_an_answer() -> None:
    message = Message(role="assistant", tool_calls=[ToolCall("t1")])
    assert reply_of(Person, message, reason="tool_calls").parsed is None


@pytest.mark.parametrize(
    ("text", "reason", "said"),
    [
        ('{"name": "secret', "length", "was cut at the bound of the output (raise max_tokens): "),
        (
            "",
            "length",
            "was cut at the bound of the output (raise max_tokens): the answer is empty",
        ),
        ("", "stop", "the answer is empty"),
        ("I secret", "content_filter", "content filter stopped the answer: the answer is no JSON"),
        ("I secret", "stop", "the answer is no JSON"),
        ('{"age": NaN}', "stop", "the answer is no JSON"),
        ("[" * 100_000, "stop", "the answer is no JSON"),
        ("[1] [2]", "stop", "the answer is no JSON"),
        ('"secret"', "stop", "the answer does not fit Person: the whole (model_type)"),
        ('{"name": "secret"}', "stop", "age (missing), home (missing), other (missing)"),
        (
            json.dumps({**PERSON, "age": "secret", "other": [{"zip": 5}]}),
            "stop",
            "age (int_parsing), other.0.street (missing), other.0.zip (string_type)",
        ),
    ],
)
def test_answers_that_cannot_be_read(text: str, reason: str, said: str) -> None:
    reply = reply_of(Person, answer(text), reason=reason)
    for _ in range(2):  # not only the first time
        with pytest.raises(JSONSchemaValidationError) as caught:
            _ = reply.parsed
    error = caught.value
    assert said in str(error)
    assert error.text == text
    assert (error.provider, error.model) == ("openai", "gpt-4o")
    shown = "".join(traceback.format_exception(error))
    assert "secret" not in str(error)
    assert "secret" not in shown.replace(__file__, "")
    assert reply.choices[0].message.content == text, "a paid answer was lost"


def test_refusals_say_so() -> None:
    message = Message(role="assistant", refusal="I will not say the secret.")
    with pytest.raises(JSONSchemaValidationError, match="the model refused to answer") as caught:
        _ = reply_of(Person, message).parsed
    assert "secret" not in str(caught.value)


def test_names_that_the_answer_made_up_are_not_shown() -> None:
    class Closed(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="forbid")
        scores: dict[str, int]

    text = json.dumps({"scores": {"John Smith": "x"}, "jane": 1})
    with pytest.raises(JSONSchemaValidationError) as caught:
        _ = reply_of(Closed, answer(text)).parsed
    said = str(caught.value)
    assert "scores.* (int_parsing), * (extra_forbidden)" in said
    assert "John" not in said
    assert "jane" not in said


def test_many_faults_are_cut_short() -> None:
    text = json.dumps({**PERSON, "other": [{}] * 20})
    with pytest.raises(JSONSchemaValidationError) as caught:
        _ = reply_of(Person, answer(text)).parsed
    assert str(caught.value).count("(missing)") == 10
    assert "(missing), ..." in str(caught.value)


def test_the_reader_is_no_part_of_the_reply_that_one_sees() -> None:
    plain = Choice(0, answer("{}"), "stop")
    reply = reply_of({"type": "json_object"}, answer("{}"))
    assert reply.parsed == {}
    assert reply.choices == [plain]
    assert repr(reply.choices[0]) == repr(plain)
    names = ["index", "message", "finish_reason", "logprobs"]
    assert list(reply.choices[0].keys()) == list(reply.choices[0]) == names
    assert "_reader" not in reply.choices[0]
    assert reply.choices[0].get("_parsed") is None
    with pytest.raises(KeyError):
        _ = reply.choices[0]["_reader"]
    assert reply.choices[0].model_dump() == plain.model_dump()


def test_replies_with_a_reader_can_be_pickled() -> None:
    reply = pickle.loads(pickle.dumps(reply_of({"type": "json_object"}, answer('{"a": 1}'))))
    assert reply.parsed == {"a": 1}
    with pytest.raises(JSONSchemaValidationError) as caught:
        _ = reply_of(Scores, answer("no")).parsed
    assert pickle.loads(pickle.dumps(caught.value)).text == "no"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(values, st.booleans())
def test_any_json_comes_back_as_it_was(value: object, fenced: bool) -> None:
    text = json.dumps(value)
    found = reply_of({"type": "json_object"}, answer(f"```json\n{text}\n```" if fenced else text))
    assert found.parsed == value


@given(st.text().filter(lambda text: "```" not in text))
def test_texts_that_are_no_json_are_handed_on_whole(text: str) -> None:
    with pytest.raises(JSONSchemaValidationError) as caught:
        _ = reply_of({"type": "json_object"}, answer(f"No: {text}")).parsed
    assert caught.value.text == f"No: {text}"
