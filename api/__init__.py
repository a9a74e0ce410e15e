"""Know what every LLM call costs: before it runs, while it runs, and as it will be invoiced."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.calling import acompletion, completion, estimate, flush, unwrap, wrap
    from costspan.conversation import ConversationManager
    from costspan.core import errors
    from costspan.core.breaker import CircuitBreaker
    from costspan.core.endpoint import Endpoint
    from costspan.core.keyring import KeyRing
    from costspan.core.policy import Policy
    from costspan.embeddings import aembedding, embedding
    from costspan.exporters.jsonlines import JsonLinesExporter
    from costspan.exporters.memory import InMemoryExporter
    from costspan.litellm_logger import litellm_callback as litellm_callback
    from costspan.meter import Meter
    from costspan.middleware.hooks import StartedCall
    from costspan.middleware.last import last_call
    from costspan.middleware.record import Call
    from costspan.middleware.tagged import tagged
    from costspan.middleware.tags import tags
    from costspan.notebook import report
    from costspan.reports.errors import ReportError
    from costspan.safe import asafe_completion, safe_completion
    from costspan.zero_code import instrument, uninstrument

__all__ = [
    "Call",
    "CircuitBreaker",
    "ConversationManager",
    "Endpoint",
    "InMemoryExporter",
    "JsonLinesExporter",
    "KeyRing",
    "Meter",
    "Policy",
    "ReportError",
    "StartedCall",
    "acompletion",
    "aembedding",
    "asafe_completion",
    "completion",
    "embedding",
    "errors",
    "estimate",
    "flush",
    "instrument",
    "last_call",
    "report",
    "safe_completion",
    "tagged",
    "tags",
    "uninstrument",
    "unwrap",
    "wrap",
]

__version__ = "0.1.0"

# Names are loaded when they are first used, so that ``import costspan`` costs next to nothing in
# programs that may never make a call. ``litellm_callback`` needs LiteLLM, so it is no part of *.
_HOMES = {
    "Call": "costspan.middleware.record",
    "CircuitBreaker": "costspan.core.breaker",
    "ConversationManager": "costspan.conversation",
    "Endpoint": "costspan.core.endpoint",
    "InMemoryExporter": "costspan.exporters.memory",
    "JsonLinesExporter": "costspan.exporters.jsonlines",
    "KeyRing": "costspan.core.keyring",
    "Meter": "costspan.meter",
    "Policy": "costspan.core.policy",
    "ReportError": "costspan.reports.errors",
    "StartedCall": "costspan.middleware.hooks",
    "aembedding": "costspan.embeddings",
    "asafe_completion": "costspan.safe",
    "embedding": "costspan.embeddings",
    "errors": "costspan.core.errors",
    "instrument": "costspan.zero_code",
    "last_call": "costspan.middleware.last",
    "litellm_callback": "costspan.litellm_logger",
    "report": "costspan.notebook",
    "safe_completion": "costspan.safe",
    "tagged": "costspan.middleware.tagged",
    "tags": "costspan.middleware.tags",
    "uninstrument": "costspan.zero_code",
}


def __getattr__(name: str) -> object:
    if name not in __all__ and name not in _HOMES:
        raise AttributeError(f"module 'costspan' has no attribute {name!r}")
    from importlib import import_module

    home = import_module(_HOMES.get(name, "costspan.calling"))
    value: object = home if name == "errors" else getattr(home, name)
    globals()[name] = value
    return value
