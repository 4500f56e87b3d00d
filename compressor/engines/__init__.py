"""Engines run the encoder over windows. One small interface, three ways to fill it."""

from moosproxy.compressor.engines.base import Engine, Reduce
from moosproxy.compressor.engines.choosing import open_engine

__all__ = ["Engine", "Reduce", "open_engine"]
