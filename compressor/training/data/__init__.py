"""Records to labelled items: corpora, labels, mixtures, held-out sets."""
