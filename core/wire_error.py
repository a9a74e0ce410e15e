"""Our errors for those of the HTTP library, told by name for there are two libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from costspan.core.errors import APIConnectionError, Timeout

if TYPE_CHECKING:
    from costspan.core.timeouts import Limits

_BEFORE_SENDING = frozenset(
    (
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "WriteError",
        "UnsupportedProtocol",
        "InvalidURL",
    )
)
"""Errors of the HTTP library that come before a whole request has left this machine."""


def wire_error(
    error: Exception,
    provider: str,
    model: str,
    limits: Limits | None = None,
    *,
    server: str | None = None,
) -> APIConnectionError:
    """Our error for one of the HTTP library's.

    Args:
        error: Its error.
        provider, model: Who was asked for what.
        limits: What the policy limited; None where it did not.
        server: Host and port that were asked.
    """
    name, kinds = type(error).__name__, {kind.__name__ for kind in type(error).__mro__}
    sent = kinds.isdisjoint(_BEFORE_SENDING)
    if "TimeoutException" in kinds:
        if limits is not None:
            return limits.error(name, sent=sent)
        return timed_out(provider, model, name, sent=sent)
    # Of the other errors the text may quote what was sent or came.
    reason = str(error) if name == "ConnectError" else name
    whom = f"{provider} at {server}" if server else provider
    found = APIConnectionError(
        f"the connection to {whom} broke ({reason}): check base_url and the network"
        if sent
        else f"no connection to {whom} ({reason}): check base_url and the network",
        provider=provider,
        model=model,
    )
    found.answered, found.sent = False, sent
    found.hung_up = name == "RemoteProtocolError" and "without sending a response" in str(error)
    return found


def timed_out(provider: str, model: str, name: str, *, sent: bool) -> Timeout:
    """The error for what the caller's ``timeout`` says.

    Args:
        provider, model: Who was asked for what.
        name: The HTTP library's name for it.
        sent: Whether the request may have reached the server.
    """
    error = Timeout(
        f"{provider} did not answer in time ({name}): "
        + ("raise timeout=" if sent else "check base_url and the network, or raise timeout="),
        provider=provider,
        model=model,
    )
    error.answered, error.sent = False, sent
    return error
