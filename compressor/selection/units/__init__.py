"""Selection by units: what each costs, what stays whatever the budget, which are kept, and how they join."""
