"""Facts about a request in, the policy for it out. Imports nothing of the other rooms."""
