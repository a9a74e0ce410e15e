"""A model that thinks before it answers, and how much it may think.

Run it:  python examples/09_thinking_budget.py [model]
"""

import os
import sys

import costspan

CLAUDE = "anthropic/claude-sonnet-4-5"
MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", CLAUDE)

reply = costspan.completion(
    MODEL,
    [{"role": "user", "content": "How many squares of any size are there on a chessboard?"}],
    thinking_budget=2000,  # tokens for thinking ...
    max_tokens=4000,  # ... which are part of these
)

message = reply.choices[0].message
if message.reasoning_content:
    print(f"It thought: {message.reasoning_content}\n")
print(message.content)
# Thinking is billed as output, at the price of output.
print(f"-- {reply.usage and reply.usage.completion_tokens} tokens out, the thinking included")
