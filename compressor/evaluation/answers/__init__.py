"""What a language model answers from full and from shortened texts. Needs no torch."""
