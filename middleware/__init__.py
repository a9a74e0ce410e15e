"""Wraps any completion call: one recorder, the attach points, tags, the Meter."""
