"""The cells of a notebook whose calls are recorded: open it in Jupyter (jupytext) or an editor.

Run it as a script:  python examples/17_jupyter.py
"""

# %% First, and before clients are made. Running the cell again changes nothing.
import costspan

costspan.instrument()

# %%
from openai import OpenAI  # noqa: E402, as in a notebook

client = OpenAI()

# %% Tags for one cell
with costspan.tags(notebook="sky", step="question"):
    answer = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
    )
print(answer.choices[0].message.content)

# %% What was that?
call = costspan.last_call()
print(call and call.cost_usd)

# %% And everything until now, in this notebook and all other programs
for row in costspan.report(by="tag:notebook"):
    print(row["tag"], row["calls"], row["cost_usd"])
