"""Tool calls in generated text: recognised in the forms that models write, and passed on as they come."""
