"""`moos bench faults`: real processes, real faults, and what a client sees of them."""
