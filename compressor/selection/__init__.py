"""Scores in, result out: what is kept, what must be put back, and where the text is cut."""
