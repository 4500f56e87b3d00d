"""The compressor as a tier: a proxy asks it over HTTP, and gets byte for byte what its own would say."""
