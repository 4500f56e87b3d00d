"""What a page of the ledger reads: summed by the database, since a page is to be there at once."""
