"""Finding what counts in a request body: texts, messages, tools, media; never base64 as text."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.pricing.parts import Content, as_json, field_of, read_call, read_part


def read_content(body: Mapping[str, object]) -> Content:
    """Read the body of a request, or the keyword arguments of an SDK's call.

    Args:
        body: OpenAI chat or Responses, Anthropic, Gemini, Bedrock Converse, Cohere, completions or
            embeddings. Messages may be objects of an SDK. Odd values are passed over.
    """
    found = Content()
    turns = body.get("messages") or field_of(body, "contents", "input", "prompt", "message")
    if isinstance(turns, str):
        found.messages += 1
        found.texts.append(turns)
    elif isinstance(turns, (list, tuple)):
        for turn in turns:
            # Most turns are a role and a text; the long way round costs 5 us each.
            text = turn.get("content") if type(turn) is dict and len(turn) == 2 else None
            if type(text) is str and "role" in turn:
                found.messages += 1
                found.texts.append(text)
            else:
                _turn(found, turn)
    elif turns is not None:
        _turn(found, turns)
    if not _BESIDE_THE_TURNS.isdisjoint(body):
        _read_beside(found, body)
    return found


_BESIDE_THE_TURNS = frozenset(
    (
        *("cache_control", "thinking", "instructions", "config"),
        *("system", "systemInstruction", "system_instruction", "preamble"),
        *("tools", "functions", "toolConfig"),
        *("response_format", "output_format", "text", "output_config"),
    )
)


def _read_beside(found: Content, body: Mapping[str, object]) -> None:
    """Read what is tokenised and stands beside the messages."""
    found.caches = found.caches or "cache_control" in body
    found.thinking = field_of(body.get("thinking"), "type") in ("enabled", "adaptive")
    instructions = body.get("instructions")
    if instructions:
        found.messages += 1
        read_part(found, instructions, 0)
    config = body.get("config")  # of Google's SDK
    for source in (body, config):
        system = field_of(source, "system", "systemInstruction", "system_instruction", "preamble")
        if system is not None:
            read_part(found, system, 0)
        _tools(found, source)
    _schema(found, body)


def _turn(found: Content, turn: object) -> None:
    """Read one message or one item of a Responses input."""
    if isinstance(turn, str):
        found.messages += 1
        found.texts.append(turn)
        return
    if isinstance(turn, (list, tuple)) and turn and isinstance(turn[0], int):
        found.token_ids += len(turn)
    if isinstance(turn, int):
        found.token_ids += 1
    if isinstance(turn, (int, float, bytes, list, tuple)) or turn is None:
        return
    content = field_of(turn, "content", "parts", "message")
    if content is None and field_of(turn, "role") is None:
        read_part(found, turn, 0)  # a function call, its output, a reasoning item
        return
    found.messages += 1
    role, name = field_of(turn, "role"), field_of(turn, "name")
    if isinstance(name, str):
        found.names.append((name, name == role))
    if isinstance(content, str):
        found.texts.append(content)
    elif content is not None:
        read_part(found, content, 0)
    calls = field_of(turn, "tool_calls")
    for call in calls if isinstance(calls, (list, tuple)) else ():
        read_call(found, field_of(call, "function") or call)
    legacy = field_of(turn, "function_call")
    if legacy is not None:
        read_call(found, legacy)


def _tools(found: Content, source: object) -> None:
    """Take each function's definition as compact JSON."""
    config = field_of(source, "toolConfig")
    tools = field_of(source, "tools", "functions") or field_of(config, "tools")
    for tool in tools if isinstance(tools, (list, tuple)) else ():
        if isinstance(tool, Mapping) and ("cache_control" in tool or "cachePoint" in tool):
            found.caches = True
        declared = field_of(tool, "functionDeclarations", "function_declarations")
        if isinstance(declared, (list, tuple)):
            found.tools.extend(as_json(one) for one in declared)
        else:
            found.tools.append(as_json(field_of(tool, "function", "toolSpec") or tool))


def _schema(found: Content, body: Mapping[str, object]) -> None:
    """Take an output schema, which OpenAI and Anthropic render into the prompt."""
    wanted = (
        body.get("response_format")
        or body.get("output_format")
        or field_of(body.get("text"), "format")
        or field_of(body.get("output_config"), "format")
    )
    schema = field_of(field_of(wanted, "json_schema") or wanted, "schema")
    if schema is not None:
        found.schema = True
        found.texts.append(as_json(schema))
