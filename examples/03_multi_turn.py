"""A conversation that remembers what was said, and knows what it has cost so far.

Run it:  python examples/03_multi_turn.py [model]
"""

import os
import sys

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")

chat = costspan.ConversationManager(MODEL, "You are a patient Python tutor.", max_tokens=300)

for question in ("How do I reverse a string?", "And how does slicing do it?"):
    text, reply = chat.send_message(question)
    print(f"You:   {question}")
    print(f"Tutor: {text}\n")

# The same, piece by piece as it is written.
print("You:   One line of code, please.")
print("Tutor: ", end="")
with chat.stream_message("One line of code, please.") as stream:
    for chunk in stream:
        print(chunk.choices[0].delta.content or "", end="", flush=True)

print(f"\n\n-- {len(chat.get_history())} messages, {chat.replies} replies")
print(f"-- cost in US dollars: {chat.cost_usd} ({chat.unpriced_replies} replies without a price)")
