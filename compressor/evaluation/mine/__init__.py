"""A user's own texts and questions: what shortening costs there. Needs no torch."""
