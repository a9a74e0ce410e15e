"""A FastAPI service whose calls carry the tags of the request that they are made for.

Run it:  costspan run uvicorn --app-dir examples 13_fastapi:app
"""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

import costspan

app = FastAPI()
client = AsyncOpenAI()


class Tagged:
    """Middleware: all that is done for a request is done inside the block, streams too."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        user = dict(scope.get("headers", ())).get(b"x-user", b"nobody").decode("latin-1")[:64]
        with costspan.tags(route=scope.get("path", ""), user=user):
            await self.app(scope, receive, send)


app.add_middleware(Tagged)


@app.get("/ask")
async def ask(question: str) -> str | None:
    messages: list[Any] = [{"role": "user", "content": question}]
    answer = await client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    return answer.choices[0].message.content


@app.get("/stream")
async def stream(question: str) -> StreamingResponse:
    messages: list[Any] = [{"role": "user", "content": question}]

    async def words() -> Any:
        async with client.chat.completions.stream(model="gpt-4o", messages=messages) as events:
            async for event in events:
                if event.type == "content.delta":
                    yield event.delta

    return StreamingResponse(words(), media_type="text/plain")
