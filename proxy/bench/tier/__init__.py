"""`moos bench tier`: what it costs to ask a compressor tier instead of an own model."""
