"""The `moos` command line."""
