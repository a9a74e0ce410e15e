"""Code and nothing else: the answer stops where the code block ends, and is not paid any further.

Run it:  python examples/05_code_generation.py [model]
"""

import os
import sys

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")


def generate_code(task: str, language: str = "python") -> str:
    """A function in ``language`` that does ``task``."""
    reply = costspan.completion(
        MODEL,
        [
            {
                "role": "system",
                "content": f"You write {language} with type hints and a docstring. Answer with one "
                f"code block. Begin with ```{language} at once, without a word before it.",
            },
            {"role": "user", "content": f"A function that {task}."},
        ],
        temperature=0.2,  # code wants few surprises
        max_tokens=400,
        stop=["\n```"],  # the fence that closes the block; the one that opens it has no line before
    )
    code = reply.choices[0].message.content or ""
    return code.strip().removeprefix(f"```{language}").strip()


print(generate_code("gives the n-th Fibonacci number and remembers those it has worked out"))
