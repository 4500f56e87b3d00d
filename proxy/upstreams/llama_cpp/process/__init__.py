"""The process that holds one GGUF model: prompt, sampling, grammar, generation."""
