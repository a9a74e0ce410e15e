"""Classification by example: a few solved cases, then the one to solve.

Run it:  python examples/06_few_shot.py [model]
"""

import os
import sys

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")

SOLVED = {
    "The battery lasts for days, best phone I have had.": "positive",
    "It broke in the first week and nobody answers my mails.": "negative",
    "It is a phone. It makes calls.": "neutral",
}


def sentiment(text: str) -> str:
    """The mood of a text: positive, negative or neutral."""
    chat = costspan.ConversationManager(
        MODEL,
        "Say the sentiment of each review in one word: positive, negative or neutral.",
        temperature=0.1,
        max_tokens=10,
    )
    for review, label in SOLVED.items():  # as if we had asked before
        chat.add_message("user", review)
        chat.add_message("assistant", label)
    answer, _ = chat.send_message(text)
    return answer.strip().lower().rstrip(".")


for review in ("What a wonderful film!", "Two hours that I will never get back."):
    print(f"{sentiment(review):<9} {review}")
