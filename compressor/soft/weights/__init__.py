"""Weights of real models: GGUF files kept as safetensors, their tokenizers, and what tells one model from another."""
