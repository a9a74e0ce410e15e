"""Reading what a response says of things that are charged by the piece: searches, tool calls."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.accounting import Profile
from costspan.core.paths import count
from costspan.core.types import JSON, Quantity


def read_fees(
    profile: Profile, payload: JSON, response: JSON | None, flags: list[str]
) -> dict[str, Quantity]:
    """Read what is charged by the piece.

    Args:
        profile: The rules of the wire format.
        payload: The usage object.
        response: The rest of the response.
        flags: Takes the names of counts that could not be read.

    Returns:
        Count per fee meter.
    """
    fees: dict[str, Quantity] = {}
    for meter, of_response, needed, paths in profile.fees:
        start = response if of_response else payload
        if start is None or start.keys().isdisjoint(needed):
            continue
        found = next((f for path in paths if (f := path.find(payload, response))), [])
        if meter.endswith(".*"):  # one fee per response; the value names the meter
            if found and isinstance(found[0], str) and found[0].isalpha():
                fees[f"{meter[:-2]}.{found[0].lower()}"] = 1
        elif meter[-1] == "?":
            if found:
                fees[meter[:-1]] = 1
        elif found:
            number = count(found)
            if number is None:
                flags.append(f"invalid:{meter}")
            else:
                fees[meter] = number
    if "fee.web_search" in fees and response is not None:
        preview = _preview_meter(response)
        if preview:
            fees[preview] = fees.pop("fee.web_search")
    return fees


def _preview_meter(response: JSON) -> str | None:
    """Name the meter of OpenAI's preview web search, if that is the tool the response used."""
    tools = response.get("tools")
    for tool in tools if isinstance(tools, (list, tuple)) else ():
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if isinstance(kind, str) and kind.startswith("web_search_preview"):
            size = tool.get("search_context_size")
            known = isinstance(size, str) and size in ("low", "medium", "high")
            return f"fee.web_search.preview.{size}" if known else "fee.web_search.preview"
    return None
