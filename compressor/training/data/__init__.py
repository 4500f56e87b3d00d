"""Records to labelled items: corpora, labels, mixtures."""
