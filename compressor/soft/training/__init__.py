"""Small language models and compressors for them: data, steps, optimisers."""
