"""JSON: how it is told, what of it carries nothing, and what of it may go."""
