"""Answers for texts seen before: kept spans or a pinned skip, never a word of a text."""
