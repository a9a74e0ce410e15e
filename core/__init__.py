"""Completion over HTTP for every provider. Knows nothing of money or telemetry."""
