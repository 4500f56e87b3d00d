"""A request in, the same request with shorter texts out: which texts, with what settings, and whether it pays."""
