"""The Router of LiteLLM, which repeats, falls back and balances: what it does is one call.

Its methods are those of LiteLLM's module, bound to its list of models. Checked with litellm 1.110
(2026-11).
"""

from __future__ import annotations

from typing import Any

from costspan.middleware.adapters import MeterSource
from costspan.middleware.adapters.patching import is_replaced, replace, restore
from costspan.middleware.functions import watch_function
from costspan.middleware.known_functions import methods_of
from costspan.middleware.wrap import argument_reader


def fits(target: Any) -> bool:
    """Whether an object is a Router: its class is told by name, to import nothing."""
    return any(base.__name__ == "Router" for base in type(target).__mro__)


def attach(client: Any, meter: MeterSource) -> None:
    """Watch a Router in place."""
    for name in methods_of(client):
        method = getattr(client, name)
        replace(client, client, name, watch_function(method, meter, argument_reader(method)))


detach = restore
is_attached = is_replaced
