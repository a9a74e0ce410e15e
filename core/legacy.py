"""OpenAI's older ``functions`` and ``function_call``, rewritten as tools for every provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costspan.core.reply import Message
from costspan.core.types import JSON


def tools_from_functions(params: JSON) -> dict[str, object]:
    """The parameters with ``functions`` as ``tools`` and ``function_call`` as ``tool_choice``."""
    found = {k: v for k, v in params.items() if k not in ("functions", "function_call")}
    functions, choice = params.get("functions"), params.get("function_call")
    if isinstance(functions, Sequence):
        found["tools"] = [{"type": "function", "function": each} for each in functions]
    if isinstance(choice, Mapping):
        found["tool_choice"] = {"type": "function", "function": {"name": choice.get("name")}}
    elif choice is not None:
        found["tool_choice"] = choice
    return found


def tool_turns(messages: Sequence[JSON]) -> list[JSON]:
    """The messages with function calls and their results as tool calls and theirs.

    The older form has no ids: a result belongs to the latest call of its function, so the id is
    made of the position of the call. An answer that shows its first tool call in the older form
    too keeps the id that it has.
    """
    found: list[JSON] = []
    latest: dict[object, str] = {}
    for position, message in enumerate(messages):
        call = message.get("function_call")
        if message.get("role") == "function":
            name = message.get("name")
            call_id = latest.get(name, f"call_{name}")
            result = {"role": "tool", "tool_call_id": call_id, "content": message.get("content")}
            found.append(result)
        elif isinstance(call, Mapping):
            plain = {k: v for k, v in message.items() if k != "function_call"}
            calls = plain.get("tool_calls")
            if not isinstance(calls, Sequence) or not calls:
                made = {"id": f"call_{position}", "type": "function", "function": call}
                calls = plain["tool_calls"] = [made]
            if isinstance(calls[0], Mapping):
                latest[call.get("name")] = str(calls[0].get("id"))
            found.append(plain)
        else:
            found.append(message)
    return found


def show_function_call(message: Message) -> None:
    """Give the answer the older form as well: the first tool call as ``function_call``."""
    if message.tool_calls:
        message.function_call = message.tool_calls[0].function
