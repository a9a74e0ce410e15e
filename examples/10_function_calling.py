"""Functions of yours that the model may call: it asks, you run them, it goes on.

Run it:  python examples/10_function_calling.py [model]
"""

import json
import os
import sys

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")


def get_weather(location: str) -> dict[str, object]:
    """The weather somewhere; a real program would ask a weather service."""
    return {"location": location, "sky": "rain", "celsius": 18}


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather at a place, now",
            "parameters": {
                "type": "object",
                "properties": {"location": {"type": "string"}},
                "required": ["location"],
            },
        },
    }
]

chat = costspan.ConversationManager(MODEL, tools=TOOLS, max_tokens=300)
text, reply = chat.send_message("Do I need an umbrella in Tokyo today?")

for _ in range(5):  # a model that never stops asking must not cost without end
    for call in reply.choices[0].message.tool_calls or []:
        print(f"-- it calls {call.function.name}({call.function.arguments})")
        result = get_weather(**json.loads(call.function.arguments or "{}"))
        chat.add_message("tool", json.dumps(result), tool_call_id=call.id)
    if not reply.choices[0].message.tool_calls:
        break
    text, reply = chat.send_message(None)  # nothing new from the user: go on with the results

print(text)
