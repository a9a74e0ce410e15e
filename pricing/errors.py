"""What can go wrong with a catalogue, as people meet it."""

from __future__ import annotations


class UpdateError(ValueError):
    """A file that is no catalogue, or no newer one; its text says why and what to do."""
