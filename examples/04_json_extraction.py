"""Data out of a text, as an object with types.

It needs pydantic, which comes with the SDKs of OpenAI and Anthropic:  pip install pydantic

Run it:  python examples/04_json_extraction.py [model]
"""

import os
import sys

from pydantic import BaseModel

import costspan
from costspan.core.errors import JSONSchemaValidationError

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")
TEXT = "Maria Lopez, who turned 41 in May, has been a marine biologist in Lisbon for ten years."


class Person(BaseModel):
    name: str
    age: int
    occupation: str


reply = costspan.completion(
    MODEL,
    [{"role": "user", "content": f"Who is this about? Answer in JSON.\n\n{TEXT}"}],
    response_format=Person,
    temperature=0.1,  # the same answer every time, more or less
    max_tokens=200,
)

try:
    person = reply.parsed
except JSONSchemaValidationError as error:
    print(f"Not what was asked for: {error.text}")
else:
    print(f"{person.name} is {person.age} and works as: {person.occupation}")
