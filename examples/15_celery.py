"""A Celery worker whose calls carry the name of the task that they are made for.

Run it:   cd examples; costspan run celery -A 15_celery worker --concurrency 2
Ask it:   cd examples; python 15_celery.py 'Why is the sky blue?'
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from celery import Celery, Task
from celery.signals import worker_process_shutdown
from openai import OpenAI

import costspan


class Tagged(Task):
    """All that a task does is done inside the block, in the process or thread that runs it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with costspan.tags(task=self.name):
            return super().__call__(*args, **kwargs)


# A broker that needs nothing else; use your own.
folder = Path(os.environ.get("EXAMPLE_BROKER", Path(tempfile.gettempdir(), "example-broker")))
folder.mkdir(parents=True, exist_ok=True)
app = Celery("example", task_cls=Tagged, broker="filesystem://")
names = ("data_folder_in", "data_folder_out", "control_folder")
app.conf.broker_transport_options = dict.fromkeys(names, str(folder))


@app.task(name="ask")
def ask(question: str) -> None:
    messages: list[Any] = [{"role": "user", "content": question}]
    OpenAI().chat.completions.create(model="gpt-4o-mini", messages=messages)


@worker_process_shutdown.connect
def push_out(**_: Any) -> None:
    """A pool's processes leave without Python's exit: send the spans that wait."""
    costspan.flush()


if __name__ == "__main__":
    for question in sys.argv[1:]:
        ask.delay(question)
