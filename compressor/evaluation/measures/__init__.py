"""What is counted: answers, critical tokens, intervals."""
