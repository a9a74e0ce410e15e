"""Grafana boards and alert rules; to come."""
