"""A GGUF file that answers questions for an evaluation: no server, no sampling, several answers at once."""
