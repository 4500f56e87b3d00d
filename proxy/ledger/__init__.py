"""What every request cost and saved: rows written off the request path, sums per hour, prices and their rule."""
