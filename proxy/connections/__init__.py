"""What callers may hold: connections, heads, bytes, time. Knows uvicorn and no routes."""
