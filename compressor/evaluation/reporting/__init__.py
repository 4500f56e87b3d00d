"""Results kept line by line, and the tables and plots made of them."""
