"""Evidence: tasks, methods, a judge and benchmarks. Needs the `train` extra; serving never imports this."""
