"""What must be exact where it is kept: addresses, ids, versions, numbers, dates, quotations."""
