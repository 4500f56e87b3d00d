"""YAML files to a set of policies: reading, checking, layering, watching."""
