"""`moos bench edge`: a local model with and without compression."""
