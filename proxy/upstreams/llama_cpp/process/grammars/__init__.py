"""What an answer may be: schemas, tool calls and GBNF, token by token. In the child."""
