"""Five answers to choose from. Claude gives one a request, so five are made at once.

Run it:  python examples/08_several_answers.py [model]
"""

import os
import sys

import costspan

CLAUDE = "anthropic/claude-sonnet-4-5"
MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", CLAUDE)

reply = costspan.completion(
    MODEL,
    [{"role": "user", "content": "A slogan for a coffee shop in a library, in one line."}],
    n=5,
    temperature=0.8,  # variety
    max_tokens=200,
)

for choice in reply.choices:
    print(f"{choice.index + 1}. {(choice.message.content or '').strip()}")
if reply.usage:  # of all five together
    print(f"-- {reply.usage.prompt_tokens} tokens in, {reply.usage.completion_tokens} out")
