"""What code is made of: rows, statements, blocks, languages."""
