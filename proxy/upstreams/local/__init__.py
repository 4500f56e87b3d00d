"""What models on this machine share: requests and answers as OpenAI words them, tool calls, stop texts, faults."""
