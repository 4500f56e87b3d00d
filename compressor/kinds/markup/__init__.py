"""HTML and XML: how they are told, what of a page a reader needs, and which white space of data goes."""
