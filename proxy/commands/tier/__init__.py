"""`moos serve-compressor`: a replica of the compressor tier, as a plain server or on Ray Serve."""
