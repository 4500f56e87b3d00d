"""Brings the parts of a proxy up and down again; only `app.py` is above it."""
