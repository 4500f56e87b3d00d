"""Weights of real models: GGUF files kept as safetensors, tokenizers, and what tells one from another."""
