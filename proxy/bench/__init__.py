"""Measures the proxy beside its rivals. Every figure comes from a run on the reader's own machine."""
