"""What is seen from outside: metrics, the record of a request, readiness. Never a text."""
