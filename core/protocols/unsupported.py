"""Parameters that a server does not have: refused by name, or dropped on request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from costspan.core.endpoint import Endpoint
from costspan.core.errors import UnsupportedParamsError
from costspan.core.request import Request
from costspan.core.types import JSON


def refuse_or_drop(
    params: dict[str, object], unsupported: Iterable[str], request: Request, endpoint: Endpoint
) -> tuple[str, ...]:
    """Take parameters out that the server does not have.

    Args:
        params: The parameters; the unsupported ones are removed.
        unsupported: Names to remove.
        request: Says whether parameters may be dropped.
        endpoint: Where the request goes.

    Returns:
        The names that were removed.

    Raises:
        UnsupportedParamsError: There are such parameters, and they may not be dropped.
    """
    found = tuple(sorted(name for name in unsupported if name in params))
    if found and not request.drop_params:
        raise UnsupportedParamsError(
            f"{endpoint.provider} has no {', '.join(found)} in its {endpoint.protocol} API: leave "
            "it out, pass drop_params=True, or send it anyway in extra_body",
            provider=endpoint.provider,
            model=request.model,
        )
    for name in found:
        del params[name]
    return found


def dropped_names(messages: Sequence[JSON]) -> tuple[str, ...]:
    """``messages.name`` where messages carry names of their speakers, which the format lacks."""
    named = any("name" in each and each["role"] != "tool" for each in messages)
    return ("messages.name",) if named else ()
