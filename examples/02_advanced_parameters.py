"""Everything that shapes an answer, in one call.

Run it:  python examples/02_advanced_parameters.py [model]
"""

import os
import sys

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")

reply = costspan.completion(
    MODEL,
    [{"role": "user", "content": "Invent a name for a bakery run by robots, and say why."}],
    max_tokens=500,  # the longest answer, in tokens: it bounds the cost too
    temperature=0.7,  # 0 to 2 (Claude: 1): low for facts and code, high for ideas
    top_p=0.9,  # sample from the likeliest words that make up 90 %
    frequency_penalty=0.0,  # -2 to 2: above 0, fewer repetitions
    presence_penalty=0.0,  # -2 to 2: above 0, more new topics
    stop=["\n\n", "###"],  # the answer ends before any of these
    n=1,  # how many answers
    logit_bias={},  # token id -> -100 (never) to 100 (always)
    drop_params=True,  # leave out what this provider does not have, instead of failing
)

choice = reply.choices[0]
print(choice.message.content)
print(f"-- ended by: {choice.finish_reason}")
print(f"-- left out: {', '.join(reply.dropped_params) or 'nothing'}")
