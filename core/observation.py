"""What has been seen of one response so far: filled by a protocol's `observe`."""

from __future__ import annotations

from dataclasses import dataclass, field

from costspan.core.types import Usage
from costspan.core.usage import read_usage


@dataclass(slots=True)
class Observation:
    """The facts of one response, whole or streamed, as far as it has been read.

    Attributes:
        api: Canonical api name of the wire format (``chat``, ``messages``, ``responses`` ...).
        model: The model that answered, as the provider spells it.
        response_id: The provider's id of the response.
        finish_reasons: Finish reason by choice index, in the provider's own words.
        usage: The provider's usage payload as received; None when it sent none.
        response: What else bears on the price: ``service_tier``, ``tools`` (types only), ``output``
            (tool calls only: type, id, status, action type, container).
        output_text: Text, reasoning and tool-argument pieces seen, for counting when no usage
            comes. Never stored.
        held: Pieces of a stream that bring nothing but words, as they came: unread so far.
        complete: Whether the provider said that the answer is finished.
        error_type: The provider's error type, if the response is or ends in an error.
        error_code: The provider's error code, if any.
        unfinished: Choice indices that began and have no finish reason yet.
        accepted: Whether the server has taken the request and begun to answer.
        unbilled: Whether no provider was asked: the answer came from a cache.
    """

    api: str = ""
    model: str | None = None
    response_id: str | None = None
    finish_reasons: dict[int, str] = field(default_factory=dict)
    usage: dict[str, object] | None = None
    response: dict[str, object] = field(default_factory=dict)
    output_text: list[str] = field(default_factory=list)
    held: list[bytes] = field(default_factory=list)
    complete: bool = False
    error_type: str | None = None
    error_code: str | None = None
    unfinished: set[int] = field(default_factory=set)
    accepted: bool = False
    unbilled: bool = False

    def usage_of(self, provider: str) -> Usage | None:
        """The usage in disjoint buckets, by the accounting rules of ``provider``.

        Args:
            provider: Canonical provider id (``openai``, ``anthropic`` ...).

        Returns:
            The usage, or None where the provider sent none.
        """
        if self.usage is None:
            return None
        response = {**self.response, "model": self.model}
        return read_usage(self.usage, provider=provider, api=self.api, response=response)

    def note_error(self, error: object) -> None:
        """Keep the type and code of an error object of any provider; never its message."""
        if isinstance(error, dict):
            kind, code = error.get("type"), error.get("code")
            self.error_code = str(code) if isinstance(code, (str, int)) else self.error_code
            self.error_type = kind if isinstance(kind, str) else self.error_type or "error"
        elif isinstance(error, str) and error:
            self.error_type = self.error_type or "error"
