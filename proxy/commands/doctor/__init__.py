"""What works and what is missing."""
