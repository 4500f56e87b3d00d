"""Where the ledger lies: SQLite in the state folder, PostgreSQL by URL."""
