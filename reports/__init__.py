"""Reads the ledger: bundled SQL, and what is shown of it as a table, JSON or CSV."""
