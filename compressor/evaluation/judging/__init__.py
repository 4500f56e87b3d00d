"""Readers that answer from a text, full or shortened, and how they are trained."""
