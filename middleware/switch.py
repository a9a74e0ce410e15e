"""The switch in the environment that turns the metering off."""

from __future__ import annotations

import os


def disabled() -> bool:
    """Whether ``COSTSPAN_DISABLED`` switches the metering off."""
    return os.environ.get("COSTSPAN_DISABLED", "").lower() in ("1", "true", "yes", "on")
