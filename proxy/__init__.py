"""HTTP in, smaller HTTP out. The only room that knows the other two."""
