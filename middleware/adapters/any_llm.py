"""Instances of any-llm's ``AnyLLM``, one class for each provider.

Their synchronous methods run the asynchronous ones on a thread of the library; the outermost is the
call. Checked with any-llm 1.40 (2026-11).
"""

from __future__ import annotations

from typing import Any

from costspan.middleware.adapters.methods import watch_known_methods
from costspan.middleware.adapters.patching import is_replaced, leave_bound, restore


def fits(target: Any) -> bool:
    """Whether an object is such an instance: its class is told by name, to import nothing."""
    return any(base.__name__ == "AnyLLM" for base in type(target).__mro__)


attach = watch_known_methods
detach = restore
is_attached = is_replaced
watch_bound = leave_bound
