"""Everything known about a text before the model runs: question, passages, structure, windows."""
