"""A configuration of gunicorn that has every call recorded, and a small application for it.

Run it:  gunicorn --chdir examples --config examples/16_gunicorn.py 16_gunicorn:app
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

from openai import OpenAI

import costspan

bind = os.environ.get("EXAMPLE_BIND", "127.0.0.1:8000")
workers = 2
preload_app = True

# In the first process, before the application is loaded: its workers are forks of it. To start
# by ``costspan run gunicorn ...`` does the same.
costspan.instrument()


def post_fork(server: Any, worker: Any) -> None:
    """What has threads belongs here: if you export spans, set up the OpenTelemetry SDK here."""


def worker_exit(server: Any, worker: Any) -> None:
    """Send what waits; the ledger has its records already."""
    costspan.flush()


client: list[OpenAI] = []


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if not client:
        client.append(OpenAI())  # a connection must not be shared by forks
    with costspan.tags(route=environ["PATH_INFO"]):
        answer = client[0].chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Say hello."}]
        )
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(answer.choices[0].message.content or "").encode()]
