"""Where requests go: one module per kind, all with the seam of `proxy.upstreams.base`."""
