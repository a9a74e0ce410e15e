"""What a call costs: token counts, the price catalogue, the cost engine, the estimate.

Pure: no input or output but the package's own data, and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costspan.pricing.catalogue import Catalogue

__all__ = ["Catalogue"]


def __getattr__(name: str) -> object:
    """Load the catalogue's code when it is first asked for: importing the package costs nothing."""
    if name == "Catalogue":
        from costspan.pricing.catalogue import Catalogue

        return Catalogue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
