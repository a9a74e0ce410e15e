"""One question, one answer, and what it cost.

Run it:  python examples/01_basic_chat.py [model]
"""

import os
import sys

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")

reply = costspan.completion(
    MODEL,
    [
        # How the model is to behave, then what the user asks.
        {
            "role": "system",
            "content": "You explain science to curious teenagers, in three sentences.",
        },
        {"role": "user", "content": "Why is the sky blue?"},
    ],
)

print(reply.choices[0].message.content)
if reply.usage:
    print(f"-- {reply.usage.prompt_tokens} tokens in, {reply.usage.completion_tokens} out")
# None where the model's price is not known: that is not the same as free.
print(f"-- cost in US dollars: {reply.cost and reply.cost.total}")
