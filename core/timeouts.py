"""The limits of one request: to connect, to the first byte, between two reads, and in all.

The HTTP library takes its timeouts from ``request.extensions["timeout"]``, a mapping that it asks
when it connects, when it begins to wait for the head, and when it begins to read the body
(https://www.encode.io/httpcore/extensions/). `Limits` stands in for that mapping and answers with
what is left at that moment. Within a body of HTTP/1.1 the library keeps to the first answer; there
`bound_reads` asks for each read anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import ref

from costspan.core.errors import Timeout
from costspan.core.wire_error import timed_out

if TYPE_CHECKING:
    from costspan.core.policy import Policy

_PHASES = ("connect", "read", "write", "pool")
_BEFORE_SENDING = frozenset(("connect", "pool"))
_SHORTEST_S = 0.001  # To a socket, 0 means something else.

_SAID = {
    "connect_timeout_s": "no connection within {:g} seconds",
    "first_token_timeout_s": "no answer began within {:g} seconds of sending the request",
    "between_tokens_timeout_s": "nothing came for {:g} seconds in the middle of a stream",
    "deadline_s": "the completion was not done within {:g} seconds",
}


class Limits(Mapping[str, float | None]):
    """How long each step of a request may take, asked when the step begins.

    Args:
        policy: Says the limits.
        deadline: Instant of the monotonic clock at which all must have ended.
        stream: Whether the answer is streamed: only then does its first byte come before its last.
        provider, model: For the errors.
        clock: Seconds, monotonic; for tests.

    Attributes:
        began: Whether a piece of the answer's body has come.
    """

    __slots__ = (
        "_argument",
        "_clock",
        "_deadline",
        "_model",
        "_own",
        "_policy",
        "_provider",
        "_sent_at",
        "_stream",
        "began",
    )

    def __init__(
        self,
        policy: Policy,
        deadline: float | None,
        *,
        stream: bool,
        provider: str,
        model: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._deadline = deadline
        self._stream = stream
        self._provider = provider
        self._model = model
        self._clock = clock
        self._own: Mapping[str, float | None] = {}
        self._sent_at: float | None = None
        self._argument = "timeout"
        self.began = False

    def take_over(self, extensions: dict[str, Any]) -> None:
        """Stand in for the timeouts of a request, which hold besides these."""
        self._own = extensions.get("timeout", {})
        extensions["timeout"] = self

    def __getitem__(self, phase: str) -> float | None:
        """Seconds that are left for a step; None for no limit.

        Raises:
            Timeout: None are left.
        """
        now = self._clock()
        limits = [(self._own.get(phase), "timeout")]
        if phase == "connect":
            limits.append((self._policy.connect_timeout_s, "connect_timeout_s"))
        if phase == "read" and self._stream:
            limits.append(self._to_next_byte(now))
        if self._deadline is not None:
            limits.append((self._deadline - now, "deadline_s"))
        known = [(left_s, argument) for left_s, argument in limits if left_s is not None]
        left_s, self._argument = min(known, default=(None, "timeout"))
        if left_s is None:
            return None
        if left_s <= 0:
            raise self.error("nothing left", sent=phase not in _BEFORE_SENDING)
        return max(left_s, _SHORTEST_S)

    def __iter__(self) -> Iterator[str]:
        return iter(_PHASES)

    def __len__(self) -> int:
        return len(_PHASES)

    def error(self, name: str, *, sent: bool) -> Timeout:
        """The error for the limit that held last.

        Args:
            name: The HTTP library's name for it.
            sent: Whether the request may have reached the server.
        """
        said = _SAID.get(self._argument)
        if said is None:
            return timed_out(self._provider, self._model, name, sent=sent)
        limit_s = getattr(self._policy, self._argument)
        error = Timeout(
            f"{self._provider}: {said.format(limit_s)}: raise {self._argument} of the policy",
            provider=self._provider,
            model=self._model,
        )
        error.answered, error.sent = False, sent
        return error

    def _to_next_byte(self, now: float) -> tuple[float | None, str]:
        if self.began:
            return self._policy.between_tokens_timeout_s, "between_tokens_timeout_s"
        if self._sent_at is None:
            self._sent_at = now  # The first wait for an answer begins when all has been sent.
        limit_s = self._policy.first_token_timeout_s
        left_s = None if limit_s is None else self._sent_at + limit_s - now
        return left_s, "first_token_timeout_s"


def bound_reads(response: Any, limits: Limits) -> None:
    """Let each read of a response's body take no longer than is left then.

    Args:
        response: A response of httpx or httpx2, its body unread.
        limits: What is left.
    """
    stream = response.extensions.get("network_stream")
    # Over HTTP/2 the library asks before each read, and its stream serves other responses too.
    if stream is not None and response.extensions.get("http_version", b"").startswith(b"HTTP/1"):
        stream.read = _BoundRead(stream, response, limits)


class _BoundRead:
    """Stands before the ``read`` of a connection until its response is closed.

    The connection serves other requests afterwards: the first of them takes this away. Nothing is
    kept alive by it.
    """

    __slots__ = ("_limits", "_response", "_stream")

    def __init__(self, stream: Any, response: Any, limits: Limits) -> None:
        self._stream = ref(stream)
        self._response = ref(response)
        self._limits = limits

    def __call__(self, max_bytes: int, timeout: float | None = None) -> Any:
        """The bytes; or for an asynchronous connection, an awaitable of them."""
        stream: Any = self._stream()
        response = self._response()
        if response is None or response.is_closed:
            vars(stream).pop("read", None)
        else:
            timeout = self._limits["read"]
        return type(stream).read(stream, max_bytes, timeout)
