"""Reasoning in the open: the steps first, then the result on a line of its own.

Run it:  python examples/07_step_by_step.py [model]
"""

import os
import sys

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")

INSTRUCTIONS = """Solve the problem in numbered steps: what is given, what is asked, the way there,
a check. End with one line of this form:
Result: <the result and nothing else>"""


def solve(problem: str) -> tuple[str, str | None]:
    """The steps, and the result if the model has given one."""
    reply = costspan.completion(
        MODEL,
        [
            {"role": "system", "content": INSTRUCTIONS},
            {"role": "user", "content": problem},
        ],
        temperature=0.3,
        max_tokens=1000,
    )
    steps, mark, result = (reply.choices[0].message.content or "").rpartition("Result:")
    return (steps.strip(), result.strip()) if mark else (result.strip(), None)


steps, result = solve("A tap fills a tub of 90 litres in 12 minutes. How long for 150 litres?")
print(steps)
print(f"-- {result or 'no line with a result: raise max_tokens, or ask a larger model'}")
