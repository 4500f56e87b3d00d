"""What the user asks: questions and instructions, and how people word them."""
