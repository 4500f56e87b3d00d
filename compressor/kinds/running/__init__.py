"""Text that runs: sentences of prose and turns of conversations."""
