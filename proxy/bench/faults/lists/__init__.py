"""The scenarios, by what breaks: each module puts its own on the list when it is imported."""
