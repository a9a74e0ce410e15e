"""Bodies made of a wire format's own words, which make no sense, and the reading of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from costspan.core.observation import Observation
from costspan.core.protocols import load_protocol


def bodies(names: Sequence[str], kinds: Sequence[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of bodies, some with a ``type``.

    Args:
        names: Names of fields.
        kinds: Values of ``type`` and other words.
    """
    name, kind = st.sampled_from(names), st.sampled_from(kinds)
    value: st.SearchStrategy[Any] = st.recursive(
        st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=2) | kind,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(name, inner, max_size=5),
        max_leaves=25,
    )
    body = st.dictionaries(name, value, max_size=6)
    return st.lists(
        body | st.builds(lambda kind, body: {**body, "type": kind}, kind, body), max_size=5
    )


def read(bodies: list[dict[str, Any]], api: str, provider: str) -> None:
    """Read bodies in every way that a wire format has, as one stream and each as a whole."""
    protocol, seen = load_protocol(api), Observation(api=api)
    reader = protocol.chunks()
    for body in bodies:
        protocol.observe(body, seen)
        chunk = reader.read(body)
        if chunk is not None:
            chunk.model_dump()
        for choice in protocol.choices(body) or ():
            choice.model_dump()
    assert all(isinstance(text, str) for text in seen.output_text)
    seen.usage_of(provider)
