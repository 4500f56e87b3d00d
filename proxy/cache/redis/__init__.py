"""What stands behind a Redis URL: one server, a cluster, or a master that sentinels name."""
