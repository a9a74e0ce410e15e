"""What a call will cost, said before it is made, and what it did cost.

Run it:  python examples/12_cost_estimate.py [model]
"""

import os
import sys
from decimal import Decimal

import costspan

MODEL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("EXAMPLE_MODEL", "openai/gpt-4o-mini")
MOST_USD = Decimal("0.05")

messages = [{"role": "user", "content": "Write an essay of 500 words about lighthouses."}]

said = costspan.estimate(model=MODEL, messages=messages, max_tokens=1000)  # no network, no key
print(f"Tokens in:  about {said.input_tokens.likely}")
print(f"Tokens out: {said.output_tokens.likely}, at most {said.output_tokens.high}")
if said.cost_usd is None:
    print("Cost:       not known for this model")
else:
    print(f"Cost:       about ${said.cost_usd.likely:.6f}, at most ${said.cost_usd.high:.6f}")
    if said.cost_usd.high > MOST_USD:
        sys.exit(f"That may be more than ${MOST_USD}: not sent.")

reply = costspan.completion(MODEL, messages, max_tokens=1000)
if reply.usage:
    print(f"It was:     {reply.usage.prompt_tokens} in, {reply.usage.completion_tokens} out")
print(f"It cost:    {reply.cost and reply.cost.total} US dollars")
