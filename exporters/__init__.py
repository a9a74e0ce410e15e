"""Where finished calls go: the DuckDB ledger, OpenTelemetry, memory."""
