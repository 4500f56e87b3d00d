"""Responses and messages for upstreams that have chat completions alone. Only `send` knows a server."""
