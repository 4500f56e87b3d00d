"""The fields of a policy that have structure of their own."""
