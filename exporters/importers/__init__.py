"""Reads what other programs have noted of calls, and makes rows of the ledger of it."""
