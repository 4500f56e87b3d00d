"""Request bodies: where their texts lie, and how a changed text gets back to its place."""
