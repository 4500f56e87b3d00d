"""Engines run the encoder over windows. One small interface, three ways to fill it."""

from compressor.engines.base import Engine, Reduce, open_engine

__all__ = ["Engine", "Reduce", "open_engine"]
