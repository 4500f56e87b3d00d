"""Kinds of text: how each is told, what its units are, and what of it may never be cut. A new kind is one file."""
