"""Texts as offsets: words, lines and sentences, the encoder's pieces, tokens of the target. Knows no model."""
