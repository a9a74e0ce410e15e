"""A completion request before it is put into a wire format, and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from costspan.core.types import JSON


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller asks for, in OpenAI's terms.

    Attributes:
        model: The model as its provider spells it, without a prefix.
        messages: Chat messages in OpenAI's shape.
        stream: Whether the reply is to be streamed.
        params: Parameters by OpenAI's names; none of them is None.
        extra_body: Fields that go into the body as they are and win over ours.
        extra_headers: Headers that go with the request and win over ours.
        drop_params: Leave out parameters that the wire format lacks, instead of failing.
        legacy_functions: The caller used ``functions``; they stand in ``params["tools"]``.
    """

    model: str
    messages: Sequence[JSON]
    stream: bool = False
    params: JSON = field(default_factory=dict)
    extra_body: JSON = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    drop_params: bool = False
    legacy_functions: bool = False

    @property
    def wants_usage_chunk(self) -> bool:
        """Whether the caller asked for the last chunk of a stream that holds the usage."""
        options = self.params.get("stream_options")
        return isinstance(options, Mapping) and options.get("include_usage") is True


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it goes over the wire, but for its key.

    Attributes:
        path: Path of the operation, to be put after the base URL.
        body: The JSON body.
        headers: Headers of the wire format.
        dropped: Names of parameters that the wire format lacks and that were left out.
        query: What the operation adds to the address.
    """

    path: str
    body: dict[str, object]
    headers: Mapping[str, str] = field(repr=False)
    dropped: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
