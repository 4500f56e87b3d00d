"""What the ledger says, as text, CSV, JSON or a page."""
