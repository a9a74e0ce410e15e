"""The ledger: every call as a row that many processes write and a kill does not lose."""
