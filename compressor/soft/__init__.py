"""Soft compression: a context becomes a few vectors, or key-value pairs, that a local model reads in its place.

Nothing here is imported by the rest of the room; it needs the extra `soft` (torch, transformers, peft).
"""
