"""Text made of rows: tables, listings, search output, paths, logs, traces, and rows of no known kind."""
