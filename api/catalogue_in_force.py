"""The catalogue that the configuration puts in force: the bundled prices, and the user's own."""

from __future__ import annotations

from costspan.middleware.config import Config
from costspan.pricing.catalogue import Catalogue


def catalogue_in_force(config: Config) -> Catalogue:
    """Give the catalogue that calls are priced by.

    Args:
        config: The configuration in force.
    """
    return Catalogue.default()
