"""Rates and budgets of teams and keys: counted here, shared with other workers, refused in time."""
