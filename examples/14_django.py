"""A Django project in one file, whose calls carry the tags of the request that they are made for.

Run it:  costspan run python examples/14_django.py runserver
     or  costspan run gunicorn --chdir examples 14_django:application
"""

import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from openai import OpenAI

import costspan

View = Callable[[HttpRequest], HttpResponse]


def tagged(get_response: View) -> View:
    """Middleware: all that the view does is done inside the block."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with costspan.tags(route=request.path, user=request.headers.get("X-User", "nobody")[:64]):
            return get_response(request)

    return middleware


def ask(request: HttpRequest) -> HttpResponse:
    messages: list[Any] = [{"role": "user", "content": request.GET["question"]}]
    answer = OpenAI().chat.completions.create(model="gpt-4o-mini", messages=messages)
    return JsonResponse({"answer": answer.choices[0].message.content})


urlpatterns = [path("ask", ask)]
settings.configure(
    SECRET_KEY="for-this-example-only",
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[f"{__name__}.tagged"],
)
application = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
