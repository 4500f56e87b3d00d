"""`moos bench fleet`: how many proxies and compressors a load needs, by a simulation held to a real run."""
