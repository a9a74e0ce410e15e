"""Values of parameters that ask for nothing: no reason to fail where a server lacks them."""

from __future__ import annotations

from collections.abc import Mapping

NEUTRAL: Mapping[str, object] = {
    "n": 1,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
    "modalities": ["text"],
    "response_format": {"type": "text"},
}
"""What means the same in every wire format; each adds its own."""

NO_PENALTIES: Mapping[str, object] = {"frequency_penalty": 0, "presence_penalty": 0}
"""For wire formats that have no penalties, or do without them anyway."""


def asking(params: Mapping[str, object], neutral: Mapping[str, object]) -> dict[str, object]:
    """The parameters that ask for something.

    Args:
        params: The parameters as they were given.
        neutral: By name, the value that says what the server does anyway.
    """
    return {
        name: value
        for name, value in params.items()
        if name not in neutral or value != neutral[name]
    }
