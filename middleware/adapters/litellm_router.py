"""The Router of LiteLLM, which repeats, falls back and balances: what it does is one call.

Its methods are those of LiteLLM's module, bound to its list of models. Checked with litellm 1.110
(2026-11).
"""

from __future__ import annotations

from typing import Any

from costspan.middleware.adapters.methods import watch_known_methods
from costspan.middleware.adapters.patching import is_replaced, leave_bound, restore


def fits(target: Any) -> bool:
    """Whether an object is a Router: its class is told by name, to import nothing."""
    return any(base.__name__ == "Router" for base in type(target).__mro__)


attach = watch_known_methods
detach = restore
is_attached = is_replaced
watch_bound = leave_bound
