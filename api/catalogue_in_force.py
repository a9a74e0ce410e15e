"""The catalogue in force: the bundled prices or their newer update, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path

from costspan.catalogue_update import newest_update
from costspan.exporters.home import Home, resolve_home
from costspan.middleware.config import ConfigError
from costspan.pricing.books import Shelf
from costspan.pricing.catalogue import Catalogue
from costspan.pricing.overlay import Overlay, OverlayError
from costspan.pricing.overlay_parse import parse_overlay


def catalogue_in_force(
    home: str | os.PathLike[str] | None, prices: str | os.PathLike[str] | None
) -> Catalogue:
    """Give the catalogue that calls are priced by.

    Args:
        home: The ledger's folder, which holds updates; None for the default one.
        prices: The file of own prices; None for none.

    Raises:
        ConfigError: The file of own prices cannot be used; the text names line and key.
    """
    catalogue = Catalogue.default()
    newer = update_folder(home)
    if newer is not None:
        catalogue = Catalogue(Shelf(newer))
    return catalogue.with_overlay(read_overlay(prices)) if prices else catalogue


def read_overlay(path: str | os.PathLike[str]) -> Overlay:
    """Read a file of own prices.

    Raises:
        ConfigError: It cannot be read; or, as `OverlayError` is caused by, it cannot be used.
    """
    try:
        return parse_overlay(Path(path).read_text(encoding="utf-8"), os.fspath(path))
    except OverlayError as error:
        raise ConfigError(f"{error}; see: costspan prices check {os.fspath(path)}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(
            f"own prices {os.fspath(path)}: {reason}: mend prices in the configuration, "
            "or COSTSPAN_PRICES"
        ) from error


def update_folder(home: str | os.PathLike[str] | None) -> Path | None:
    """Give the folder of updated prices, if they are newer than what comes with the package."""
    place = home if isinstance(home, Home) else resolve_home(home)
    if place.fallback:  # a folder for want of a better one, where others may write
        return None
    folder = newest_update(place)
    if folder is None or folder.name[:10] < Catalogue.default().version[:10]:
        return None
    return folder
