"""Would a language model be a better teacher? Its opinions on held-out training texts beside today's scores."""
