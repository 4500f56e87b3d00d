"""Texts that a model on this machine reads as soft memory: what is asked of it, and what became of them."""
