"""Configuration: how its files are told, where they end, and what of them may go."""
