"""What models on this machine share: answers as OpenAI words them, tool calls, stop texts."""
