"""The HTTP surface: plain ASGI for everything under /v1, FastAPI for the pages around it."""
