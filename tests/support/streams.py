"""One answer as every wire format streams it, written from the documented formats.

Each says: reasoning "Hm, ä", text "Größe 🎈!", two tool calls; 10 tokens in, 4 of them read from a
cache, and 7 out, 2 of them reasoning, as far as the format can tell.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wire import named, sse

TEXT = "Größe 🎈!"
REASONING = "Hm, ä"
CALLS: tuple[tuple[str, dict[str, str]], ...] = (
    ("get_weather", {"city": "Zürich"}),
    ("now", {}),
)
_ARGUMENTS = '{"city": "Zürich"}'


@dataclass(frozen=True)
class Recorded:
    """A recorded stream.

    Attributes:
        model, path: How our core asks for it, and the path of the request.
        base: What the base URL has behind the host.
        frames: Its parts, each with a whole event.
        content_type: Its media type.
        arguments: Further arguments of the completion.
        cached, reasoning: Whether the format tells tokens read from a cache, and reasoning ones.
    """

    model: str
    path: str
    base: str
    frames: tuple[bytes, ...]
    content_type: str = "text/event-stream"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = True
    reasoning: bool = True

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.frames)


def utf8(frames: list[bytes]) -> tuple[bytes, ...]:
    """Frames of events with their characters as they are, as most servers send them."""
    return tuple(frame if b"\\u" not in frame else _unescaped(frame) for frame in frames)


def _unescaped(frame: bytes) -> bytes:
    head, mark, data = frame.rpartition(b"data: ")
    return head + mark + json.dumps(json.loads(data), ensure_ascii=False).encode() + b"\n\n"


def _chat() -> Recorded:
    top = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m-1"}

    def chunk(reason: str | None = None, **delta: object) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return {**top, "choices": [choice], "usage": None}

    def call(index: int, arguments: str, name: str | None = None) -> dict[str, object]:
        function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
        head = {"id": f"call_{index}", "type": "function"} if name else {}
        return chunk(tool_calls=[{"index": index, **head, "function": function}])

    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    frames = sse(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="Hm, "),
        chunk(reasoning_content="ä"),
        chunk(content="Grö"),
        chunk(content="ße 🎈!"),
        call(0, "", "get_weather"),
        call(0, _ARGUMENTS[:11]),
        call(0, _ARGUMENTS[11:]),
        call(1, "{}", "now"),
        chunk("tool_calls"),
        {**top, "choices": [], "usage": usage},
    )
    return Recorded("m", "/v1/chat/completions", "/v1", (*utf8(frames), b"data: [DONE]\n\n"))


def _messages() -> Recorded:
    def start(index: int, **block: object) -> dict[str, object]:
        return {"type": "content_block_start", "index": index, "content_block": block}

    def delta(index: int, kind: str, **fields: object) -> dict[str, object]:
        return {
            "type": "content_block_delta",
            "index": index,
            "delta": {"type": kind, **fields},
        }

    def stop(index: int) -> dict[str, object]:
        return {"type": "content_block_stop", "index": index}

    usage = {
        "input_tokens": 6,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
    }
    message: dict[str, object] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-1",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    frames = named(
        {"type": "message_start", "message": message},
        start(0, type="thinking", thinking="", signature=""),
        {"type": "ping"},
        delta(0, "thinking_delta", thinking="Hm, "),
        delta(0, "thinking_delta", thinking="ä"),
        delta(0, "signature_delta", signature="c2ln"),
        stop(0),
        start(1, type="text", text=""),
        delta(1, "text_delta", text="Grö"),
        delta(1, "text_delta", text="ße 🎈!"),
        stop(1),
        start(2, type="tool_use", id="toolu_0", name="get_weather", input={}),
        delta(2, "input_json_delta", partial_json=_ARGUMENTS[:11]),
        delta(2, "input_json_delta", partial_json=_ARGUMENTS[11:]),
        stop(2),
        start(3, type="tool_use", id="toolu_1", name="now", input={}),
        delta(3, "input_json_delta", partial_json="{}"),
        stop(3),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 2}},
        },
        {"type": "message_stop"},
    )
    return Recorded("anthropic/m", "/v1/messages", "", utf8(frames))


def _responses() -> Recorded:
    thought: dict[str, object] = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": REASONING}],
        "encrypted_content": "c2ln",
    }
    text = {"type": "output_text", "text": TEXT, "annotations": []}
    message: dict[str, object] = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    calls: list[dict[str, object]] = [
        {
            "type": "function_call",
            "id": f"fc_{index}",
            "call_id": f"call_{index}",
            "name": name,
            "arguments": json.dumps(arguments, ensure_ascii=False),
            "status": "completed",
        }
        for index, (name, arguments) in enumerate(CALLS)
    ]
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 5,
        "model": "m-1",
        "status": "in_progress",
        "output": [],
        "usage": None,
    }
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 17,
    }
    output: list[dict[str, object]] = [thought, message, *calls]
    events: list[dict[str, object]] = [{"type": "response.created", "response": response}]
    for place, item in enumerate(output):
        empty = {"content": [], "summary": [], "arguments": "", "status": "in_progress"}
        begun = {**item, **{name: value for name, value in empty.items() if name in item}}
        at = {"output_index": place, "item_id": item["id"]}
        events.append({"type": "response.output_item.added", **at, "item": begun})
        if item is thought:
            name, whole, pieces = "reasoning_summary_text", REASONING, ("Hm, ", "ä")
            at["summary_index"] = 0
            part: object = {"type": "summary_text", "text": ""}
            events.append({"type": "response.reasoning_summary_part.added", **at, "part": part})
        elif item is message:
            name, whole, pieces = "output_text", TEXT, ("Grö", "ße 🎈!")
            at["content_index"] = 0
            part = {**text, "text": ""}
            events.append({"type": "response.content_part.added", **at, "part": part})
        else:
            name, whole = "function_call_arguments", str(item["arguments"])
            pieces = (whole[:1], whole[1:])
        events += [{"type": f"response.{name}.delta", **at, "delta": piece} for piece in pieces]
        end = "arguments" if name == "function_call_arguments" else "text"
        events.append({"type": f"response.{name}.done", **at, end: whole})
        events.append({"type": "response.output_item.done", **at, "item": item})
    done = {**response, "status": "completed", "output": output, "usage": usage}
    events.append({"type": "response.completed", "response": done})
    frames = named(*({**event, "sequence_number": n} for n, event in enumerate(events)))
    return Recorded(
        "openai/m", "/v1/responses", "/v1", utf8(frames), arguments={"api": "responses"}
    )


def _gemini() -> Recorded:
    def event(*parts: object, reason: str | None = None, **usage: int) -> dict[str, object]:
        candidate: dict[str, object] = {"content": {"role": "model", "parts": list(parts)}}
        if reason:
            candidate["finishReason"] = reason
        return {
            "candidates": [{**candidate, "index": 0}],
            "usageMetadata": {
                "promptTokenCount": 10,
                "cachedContentTokenCount": 4,
                **usage,
            },
            "modelVersion": "m-1",
            "responseId": "gen-1",
        }

    def call(name: str, arguments: object) -> dict[str, object]:
        return {"functionCall": {"name": name, "args": arguments}}

    frames = sse(
        event({"text": "Hm, ", "thought": True}, thoughtsTokenCount=1, totalTokenCount=11),
        event({"text": "ä", "thought": True}, thoughtsTokenCount=2, totalTokenCount=12),
        event({"text": "Grö"}, thoughtsTokenCount=2, candidatesTokenCount=1, totalTokenCount=13),
        event({"text": "ße 🎈!"}, thoughtsTokenCount=2, candidatesTokenCount=3, totalTokenCount=15),
        event(
            *(call(name, arguments) for name, arguments in CALLS),
            reason="STOP",
            thoughtsTokenCount=2,
            candidatesTokenCount=5,
            totalTokenCount=17,
        ),
    )
    path = "/v1beta/models/m:streamGenerateContent"
    return Recorded("gemini/m", path, "/v1beta", utf8(frames))


def _cohere() -> Recorded:
    def event(kind: str, index: int | None = None, **message: object) -> dict[str, object]:
        found: dict[str, object] = {"type": kind}
        if index is not None:
            found["index"] = index
        return {**found, "delta": {"message": message}} if message else found

    def content(kind: str, index: int, **part: object) -> dict[str, object]:
        return event(kind, index, content=part)

    def call(index: int, name: str) -> dict[str, object]:
        function = {"name": name, "arguments": ""}
        head = {"id": f"{name}_0", "type": "function", "function": function}
        return event("tool-call-start", index, tool_calls=head)

    def piece(index: int, arguments: str) -> dict[str, object]:
        return event("tool-call-delta", index, tool_calls={"function": {"arguments": arguments}})

    usage = {
        "billed_units": {"input_tokens": 10, "output_tokens": 7},
        "tokens": {"input_tokens": 10, "output_tokens": 7},
    }
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}
    frames = named(
        {"type": "message-start", "id": "co-1", "delta": {"message": start}},
        content("content-start", 0, type="thinking", thinking=""),
        content("content-delta", 0, thinking="Hm, "),
        content("content-delta", 0, thinking="ä"),
        event("content-end", 0),
        content("content-start", 1, type="text", text=""),
        content("content-delta", 1, text="Grö"),
        content("content-delta", 1, text="ße 🎈!"),
        event("content-end", 1),
        call(0, "get_weather"),
        piece(0, _ARGUMENTS[:11]),
        piece(0, _ARGUMENTS[11:]),
        event("tool-call-end", 0),
        call(1, "now"),
        piece(1, "{}"),
        event("tool-call-end", 1),
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": usage}},
    )
    return Recorded("cohere/m", "/v2/chat", "", utf8(frames), cached=False, reasoning=False)


def _ollama() -> Recorded:
    top = {"model": "m-1", "created_at": "2026-11-25T12:00:00Z"}

    def line(**message: object) -> dict[str, object]:
        return {**top, "message": {"role": "assistant", "content": "", **message}, "done": False}

    calls = [{"function": {"name": n, "arguments": a}} for n, a in CALLS]
    end = {"done_reason": "stop", "done": True, "prompt_eval_count": 10, "eval_count": 7}
    lines = [
        line(thinking="Hm, "),
        line(thinking="ä"),
        line(content="Grö"),
        line(content="ße 🎈!"),
        line(tool_calls=calls),
        {**line(), **end},
    ]
    frames = tuple(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in lines)
    kind = "application/x-ndjson"
    return Recorded("ollama/m", "/api/chat", "", frames, kind, cached=False, reasoning=False)


def aws_frame(event_type: str, payload: object, message_type: str = "event") -> bytes:
    """A frame of an AWS event stream: https://smithy.io/2.0/aws/amazon-eventstream.html.

    Two lengths and their checksum, headers of type 7 (text), the payload, a checksum of all.
    """
    names = {
        f":{'exception' if message_type == 'exception' else 'event'}-type": event_type,
        ":content-type": "application/json",
        ":message-type": message_type,
    }
    headers = b"".join(
        struct.pack(">B", len(name))
        + name.encode()
        + struct.pack(">BH", 7, len(value))
        + value.encode()
        for name, value in names.items()
    )
    body = json.dumps(payload, ensure_ascii=False).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return frame + struct.pack(">I", zlib.crc32(frame))


def _converse() -> Recorded:
    def delta(index: int, **part: object) -> bytes:
        return aws_frame("contentBlockDelta", {"contentBlockIndex": index, "delta": part})

    def start(index: int, name: str) -> bytes:
        use = {"toolUse": {"toolUseId": f"tooluse_{index}", "name": name}}
        return aws_frame("contentBlockStart", {"contentBlockIndex": index, "start": use})

    def stop(index: int) -> bytes:
        return aws_frame("contentBlockStop", {"contentBlockIndex": index})

    usage = {"inputTokens": 6, "cacheReadInputTokens": 4, "outputTokens": 7, "totalTokens": 17}
    frames = (
        aws_frame("messageStart", {"role": "assistant"}),
        delta(0, reasoningContent={"text": "Hm, "}),
        delta(0, reasoningContent={"text": "ä"}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        stop(0),
        delta(1, text="Grö"),
        delta(1, text="ße 🎈!"),
        stop(1),
        start(2, "get_weather"),
        delta(2, toolUse={"input": _ARGUMENTS[:11]}),
        delta(2, toolUse={"input": _ARGUMENTS[11:]}),
        stop(2),
        start(3, "now"),
        delta(3, toolUse={"input": "{}"}),
        stop(3),
        aws_frame("messageStop", {"stopReason": "tool_use"}),
        aws_frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
    )
    return Recorded(
        "bedrock/m",
        "/model/m/converse-stream",
        "",
        frames,
        "application/vnd.amazon.eventstream",
        {"region": "us-east-1"},
        reasoning=False,
    )


RECORDED = {
    "chat": _chat(),
    "messages": _messages(),
    "responses": _responses(),
    "gemini": _gemini(),
    "cohere": _cohere(),
    "ollama": _ollama(),
    "converse": _converse(),
}


def _written(arguments: object) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _bodies() -> dict[str, dict[str, object]]:
    functions = [{"name": name, "arguments": _written(told)} for name, told in CALLS]
    calls = [
        {"id": f"call_{index}", "type": "function", "function": function}
        for index, function in enumerate(functions)
    ]
    message = {
        "role": "assistant",
        "reasoning_content": REASONING,
        "content": TEXT,
        "tool_calls": calls,
    }
    thought = {"type": "thinking", "thinking": REASONING}
    text = {"type": "text", "text": TEXT}
    last = {name: each.frames[-1] for name, each in RECORDED.items()}
    completed = json.loads(last["responses"].partition(b"data: ")[2])["response"]
    usage = {"inputTokens": 6, "cacheReadInputTokens": 4, "outputTokens": 7, "totalTokens": 17}
    signed = {"reasoningText": {"text": REASONING, "signature": "c2ln"}}
    uses = [
        {"toolUse": {"toolUseId": f"tooluse_{index}", "name": name, "input": told}}
        for index, (name, told) in enumerate(CALLS)
    ]
    parts = [
        {"text": REASONING, "thought": True},
        {"text": TEXT},
        *({"functionCall": {"name": name, "args": told}} for name, told in CALLS),
    ]
    return {
        "chat": {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "m-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
            "usage": json.loads(RECORDED["chat"].frames[-2].removeprefix(b"data: "))["usage"],
        },
        "messages": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m-1",
            "content": [
                {**thought, "signature": "c2ln"},
                text,
                *(
                    {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": told}
                    for index, (name, told) in enumerate(CALLS)
                ),
            ],
            "stop_reason": "tool_use",
            "usage": {
                "input_tokens": 6,
                "cache_read_input_tokens": 4,
                "output_tokens": 7,
                "output_tokens_details": {"thinking_tokens": 2},
            },
        },
        "responses": completed,
        "gemini": {
            "candidates": [
                {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {
                "promptTokenCount": 10,
                "cachedContentTokenCount": 4,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 2,
                "totalTokenCount": 17,
            },
            "modelVersion": "m-1",
            "responseId": "gen-1",
        },
        "cohere": {
            "id": "co-1",
            "finish_reason": "TOOL_CALL",
            "message": {"role": "assistant", "content": [thought, text], "tool_calls": calls},
            "usage": {
                "billed_units": {"input_tokens": 10, "output_tokens": 7},
                "tokens": {"input_tokens": 10, "output_tokens": 7},
            },
        },
        "ollama": {
            "model": "m-1",
            "message": {
                "role": "assistant",
                "thinking": REASONING,
                "content": TEXT,
                "tool_calls": [
                    {"function": {"name": name, "arguments": told}} for name, told in CALLS
                ],
            },
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 10,
            "eval_count": 7,
        },
        "converse": {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [{"reasoningContent": signed}, {"text": TEXT}, *uses],
                }
            },
            "stopReason": "tool_use",
            "usage": usage,
        },
    }


BODIES = _bodies()
"""The same answer as whole bodies."""
