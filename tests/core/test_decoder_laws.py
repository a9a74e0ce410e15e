"""Laws of the way from bytes to reply, for every wire format.

Any split of a stream means the same; what is garbage raises nothing but our errors; a stream that
breaks keeps what came before.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from streams import BODIES, CALLS, REASONING, RECORDED, TEXT, Recorded

from costspan.core.assembly import Exchange, StreamAssembler, reply_from_body
from costspan.core.completion import acompletion, completion
from costspan.core.decoders import Event, decoder_for
from costspan.core.endpoints import resolve
from costspan.core.errors import APIConnectionError, APIError
from costspan.core.protocols import load_protocol
from costspan.core.reply import Reply
from costspan.core.request import Request
from costspan.core.stream import Stream

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HELLO = [{"role": "user", "content": "Hello"}]
EACH = pytest.mark.parametrize("name", RECORDED)


def exchange(recorded: Recorded) -> Exchange:
    """What asked for a recorded stream."""
    endpoint, model = resolve(recorded.model, base_url="http://127.0.0.1")
    endpoint = replace(endpoint, protocol=recorded.arguments.get("api", endpoint.protocol))
    return Exchange(Request(model, HELLO, stream=True), endpoint, load_protocol(endpoint.protocol))


def events(content_type: str, parts: list[bytes]) -> list[Event]:
    decoder = decoder_for(content_type)
    return [event for part in parts for event in decoder.feed(part)] + decoder.flush()


def assembled(recorded: Recorded, found: list[Event]) -> StreamAssembler:
    assembler = StreamAssembler(exchange(recorded))
    for event in found:
        assembler.push(event)
    return assembler


def check(reply: Reply, recorded: Recorded) -> None:
    """That a reply says what the recorded answer says."""
    (choice,) = reply.choices
    message = choice.message
    assert message.content == TEXT
    assert message.reasoning_content == REASONING
    calls = message.tool_calls or []
    found = [(call.function.name, json.loads(call.function.arguments or "")) for call in calls]
    assert found == list(CALLS)
    assert len({call.id for call in calls}) == len(calls)
    assert choice.finish_reason == "tool_calls"
    assert reply.usage is not None
    usage = reply.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 7, 17)
    assert usage.prompt_tokens_details.cached_tokens == (4 if recorded.cached else None)
    assert usage.completion_tokens_details.reasoning_tokens == (2 if recorded.reasoning else None)


def without_ids(reply: Reply) -> dict[str, object]:
    """A reply as plain values, but for the ids of tool calls: Ollama has none, so we make them."""
    for choice in reply.choices:
        for call in choice.message.tool_calls or ():
            call.id = None
    return {**reply.model_dump(), "meters": reply.meters}


def split(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


CUTS = st.lists(st.integers(0, 100_000), max_size=60)


@EACH
def test_recorded_streams_say_what_they_should(name: str) -> None:
    recorded = RECORDED[name]
    check(assembled(recorded, events(recorded.content_type, list(recorded.frames))).reply, recorded)


@EACH
@given(cuts=CUTS)
@example(cuts=list(range(10_000)))
def test_any_split_gives_the_same_events_and_the_same_reply(name: str, cuts: list[int]) -> None:
    recorded = RECORDED[name]
    whole = events(recorded.content_type, [recorded.body])
    found = events(recorded.content_type, split(recorded.body, cuts))
    assert found == whole
    reply = assembled(recorded, found).reply
    check(reply, recorded)
    assert without_ids(reply) == without_ids(assembled(recorded, whole).reply)


SERVER_SENT = [name for name, each in RECORDED.items() if each.content_type == "text/event-stream"]
VARIANTS: Mapping[str, Callable[[bytes], bytes]] = {
    "crlf": lambda body: body.replace(b"\n", b"\r\n"),
    "cr": lambda body: body.replace(b"\n", b"\r"),
    "byte-order-mark": lambda body: b"\xef\xbb\xbf" + body,
    "comments": lambda body: b": hello\n\n" + body.replace(b"\n\n", b"\n: ping\n\n: ping\n\n"),
    "ids-and-retry": lambda body: b"retry: 10\n\nid: 1\n" + body,
    "no-space": lambda body: body.replace(b"data: ", b"data:"),
    "no-last-blank-line": lambda body: body.rstrip(b"\n"),
    "all-of-it": lambda body: (
        b"\xef\xbb\xbf: hello\r\n\r\n" + body.replace(b"\n\n", b"\n:\n\n").replace(b"\n", b"\r\n")
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", SERVER_SENT)
@given(cuts=CUTS)
def test_any_spelling_of_server_sent_events_is_the_same(
    name: str, variant: str, cuts: list[int]
) -> None:
    recorded = RECORDED[name]
    body = VARIANTS[variant](recorded.body)
    found = events(recorded.content_type, split(body, cuts))
    assert found == events(recorded.content_type, [recorded.body])


@given(cuts=CUTS)
def test_any_spelling_of_lines_of_json_is_the_same(cuts: list[int]) -> None:
    recorded = RECORDED["ollama"]
    body = b"\n" + recorded.body.replace(b"\n", b"\r\n\r\n").rstrip()
    found = events(recorded.content_type, split(body, cuts))
    assert found == events(recorded.content_type, [recorded.body])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=CUTS)
def test_any_split_of_the_frames_of_the_other_tests(
    cuts: list[int], chat_frames: list[bytes], message_frames: list[bytes]
) -> None:
    for name, frames in (("chat", chat_frames), ("messages", message_frames)):
        found = events("text/event-stream", split(b"".join(frames), cuts))
        reply = assembled(RECORDED[name], found).reply
        assert reply.choices[0].message.content == "Größe 🎈"
        assert reply.usage is not None
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 7)


# --- garbage ---------------------------------------------------------------------------------

CONTENT_TYPES = sorted({each.content_type for each in RECORDED.values()} | {"application/json"})
WORDS = sorted(
    {
        word
        for each in RECORDED.values()
        for event in events(each.content_type, [each.body])
        for word in json.dumps(event.json()).replace('"', " ").replace(":", " ").split()
        if word.isidentifier()
    }
    | {"error", "message", "code", "status", "x_groq", "promptFeedback", "blockReason"}
)
"""The names of fields and the values that the formats know, so that garbage comes near to them."""
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=4)  # lone surrogates among them
    | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, however deep, as what holds it and its key."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


SPOILERS: tuple[Any, ...] = (
    None,
    True,
    -1,
    2.5,
    10**30,
    "",
    "x",
    "\ud83c",
    [],
    [None],
    ["x"],
    [{}],
    {},
    {"x": {}},
)


def spoilt_once(bodies: list[Any]) -> Iterator[list[Any]]:
    """The events of a stream with one value, each in turn, replaced or left out."""
    for holder, key in list(places(bodies)):
        kept = holder[key]
        for spoiler in SPOILERS:
            holder[key] = spoiler
            yield bodies
        if isinstance(holder, dict):
            del holder[key]
            yield bodies
        holder[key] = kept


@st.composite
def spoilt(draw: st.DrawFn, bodies: list[Any]) -> list[Any]:
    """The events of a stream, some of whose values are replaced."""
    bodies = copy.deepcopy(bodies)
    for _ in range(draw(st.integers(2, 6))):
        holder, key = draw(st.sampled_from(list(places(bodies))))
        holder[key] = draw(JSON_VALUES)
    return bodies


def survives(recorded: Recorded, found: list[Event]) -> None:
    """That events may be anything: only our errors come, and what there is can be read."""
    assembler = StreamAssembler(exchange(recorded))
    with suppress(APIError):
        for event in found:
            chunk = assembler.push(event)
            if chunk is not None:
                chunk.model_dump()
    assembler.finish()
    reply = assembler.reply
    reply.model_dump(exclude_none=True)
    assert reply.parsed is None


@given(parts=st.lists(st.binary(max_size=200)), content_type=st.sampled_from(CONTENT_TYPES))
def test_garbage_bytes_raise_nothing(parts: list[bytes], content_type: str) -> None:
    found = events(content_type, parts)
    for recorded in RECORDED.values():
        survives(recorded, found)


@EACH
@given(data=st.data())
def test_a_stream_with_a_few_wrong_bytes_raises_nothing(name: str, data: st.DataObject) -> None:
    recorded = RECORDED[name]
    body = bytearray(recorded.body)
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    survives(recorded, events(recorded.content_type, [bytes(body)]))


@EACH
@given(values=st.lists(JSON_VALUES, max_size=6))
def test_garbage_events_raise_nothing_but_our_errors(name: str, values: list[object]) -> None:
    survives(RECORDED[name], [Event("", json.dumps(value).encode()) for value in values])


def bodies_of(name: str) -> list[Any]:
    """The events of a recorded stream as JSON."""
    recorded = RECORDED[name]
    found = (event.json() for event in events(recorded.content_type, [recorded.body]))
    return [body for body in found if body is not None]


def as_events(bodies: list[Any]) -> list[Event]:
    return [Event("", json.dumps(body).encode()) for body in bodies]


@EACH
def test_any_value_of_a_stream_may_be_anything(name: str) -> None:
    for bodies in spoilt_once(bodies_of(name)):
        survives(RECORDED[name], as_events(bodies))


@EACH
@given(data=st.data())
def test_several_values_of_a_stream_may_be_anything(name: str, data: st.DataObject) -> None:
    survives(RECORDED[name], as_events(data.draw(spoilt(bodies_of(name)))))


def survives_whole(name: str, body: Any) -> None:
    """The same of a whole body."""
    if isinstance(body, dict):
        with suppress(APIError):
            reply_from_body(body, exchange(RECORDED[name])).model_dump(exclude_none=True)


@EACH
def test_any_value_of_a_whole_body_may_be_anything(name: str) -> None:
    check(reply_from_body(BODIES[name], exchange(RECORDED[name])), RECORDED[name])
    for (body,) in spoilt_once([copy.deepcopy(BODIES[name])]):
        survives_whole(name, body)


@EACH
@given(data=st.data())
def test_several_values_of_a_whole_body_may_be_anything(name: str, data: st.DataObject) -> None:
    (body,) = data.draw(spoilt([BODIES[name]]))
    survives_whole(name, body)


# --- through a real server -------------------------------------------------------------------


def opened(server: FrameServer, recorded: Recorded, **arguments: Any) -> Stream:
    return completion(
        recorded.model,
        HELLO,
        stream=True,
        base_url=server.url + recorded.base,
        api_key="k",
        timeout=5,
        **{**recorded.arguments, **arguments},
    )


def serve(server: FrameServer, recorded: Recorded, frames: list[bytes], **how: Any) -> None:
    headers = {"content-type": recorded.content_type}
    server.script(recorded.path, headers=headers, frames=frames, **how)


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@EACH
def test_any_split_and_gzip_through_a_real_server(
    name: str, gzip: bool, size: int, frame_server: FrameServer
) -> None:
    recorded = RECORDED[name]
    pieces = split(recorded.body, list(range(0, len(recorded.body), size)))
    serve(frame_server, recorded, [piece for piece in pieces if piece], gzip=gzip)
    stream = opened(frame_server, recorded)
    text = "".join(c.delta.content or "" for chunk in stream for c in chunk.choices)
    assert text == TEXT
    check(stream.reply, recorded)
    assert stream.seen.complete


@EACH
def test_a_stream_cut_at_every_frame_keeps_what_came(name: str, frame_server: FrameServer) -> None:
    recorded = RECORDED[name]
    for count in range(len(recorded.frames)):
        serve(frame_server, recorded, list(recorded.frames[:count]), cut=True)
    texts: list[str] = []
    for _ in recorded.frames:
        stream = opened(frame_server, recorded)
        with pytest.raises(APIConnectionError) as caught:
            list(stream)
        assert caught.value.__cause__ is not None
        texts.append(stream.reply.choices[0].message.content or "" if stream.reply.choices else "")
    assert set(texts) == {"", "Grö", TEXT}
    assert texts == sorted(texts, key=len)


@EACH
def test_a_stream_cut_inside_every_frame_keeps_what_came(
    name: str, frame_server: FrameServer
) -> None:
    """As above, in the middle of an event: what is not whole says nothing."""
    recorded = RECORDED[name]
    for count, frame in enumerate(recorded.frames):
        half = frame[: len(frame) // 2]
        serve(frame_server, recorded, [*recorded.frames[:count], half], cut=True)
    for count in range(len(recorded.frames)):
        stream = opened(frame_server, recorded)
        with pytest.raises(APIConnectionError):
            list(stream)
        before = assembled(recorded, events(recorded.content_type, list(recorded.frames[:count])))
        assert without_ids(stream.reply)["choices"] == without_ids(before.reply)["choices"]


@EACH
async def test_a_stream_cut_asynchronously(name: str, frame_server: FrameServer) -> None:
    recorded = RECORDED[name]
    serve(frame_server, recorded, list(recorded.frames[:-1]), cut=True)
    stream = await acompletion(
        recorded.model,
        HELLO,
        stream=True,
        base_url=frame_server.url + recorded.base,
        api_key="k",
        timeout=5,
        **recorded.arguments,
    )
    with pytest.raises(APIConnectionError):
        [chunk async for chunk in stream]
    assert stream.reply.choices[0].message.content == TEXT
