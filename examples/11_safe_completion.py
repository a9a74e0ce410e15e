"""A call that is checked before and after, waits for rate limits, and says what went wrong.

Run it:  python examples/11_safe_completion.py [model]
"""

import os
import sys

import costspan
from costspan.core import errors

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")


def ask(messages: list[dict[str, str]]) -> None:
    """Print the answer, or why there is none."""
    try:
        # Unless given: max_tokens=1000, temperature=0.7, timeout=30 (seconds), num_retries=5.
        reply = costspan.safe_completion(MODEL, messages)
    except errors.InvalidMessagesError as error:
        print(f"Not sent: {error}")
    except errors.AuthenticationError as error:
        print(f"Check the key: {error}")
    except errors.EmptyReplyError as error:
        print(f"Paid for nothing ({error.reply.cost and error.reply.cost.total}): {error}")
    except errors.APIError as error:  # all others, after the retries
        print(f"{type(error).__name__} after {error.attempts} attempts: {error}")
    else:
        print(reply.choices[0].message.content)


ask([{"role": "user", "content": "Say hello in five languages."}])
ask([{"role": "user"}])
