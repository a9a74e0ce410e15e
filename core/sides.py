"""Usage objects that tell one side only: the other is told by the total, or it is missing."""

from __future__ import annotations

from costspan.core.accounting import Profile
from costspan.core.types import Quantity

GUESSED = "missing:input:guessed"
"""There was nothing but a total, all of which was taken for the input."""


def complete(
    profile: Profile,
    values: list[Quantity | None],
    total: Quantity | None,
    whole: Quantity,
    flags: list[str],
) -> bool:
    """Fill in the side that a usage object leaves out, as far as its own total tells it.

    Args:
        profile: The rules of the wire format.
        values: What was read; the missing side is filled in here.
        total: The provider's own grand total, if it gave one.
        whole: The sum of what was read.
        flags: Takes ``missing:input`` or ``missing:output``: nothing tells that side. With
            ``:from_total`` the total told it. See also `GUESSED`.

    Returns:
        Whether the values now add up to the total.
    """
    missing = [
        (name, places)
        for name, places in profile.sides
        if all(values[index] is None for index in places)
    ]
    if not missing or all(values[index] is None for index, _ in profile.meters):
        if len(missing) < 2 or total is None:
            return False
        values[missing[0][1][0]] = total
        flags += (GUESSED, "missing:output")
        return True
    if len(missing) == 1 and total is not None and total >= whole:
        name, places = missing[0]
        values[places[0]] = total - whole
        flags.append(f"missing:{name}:from_total")
        return True
    flags += [f"missing:{name}" for name, _ in missing]
    return False
