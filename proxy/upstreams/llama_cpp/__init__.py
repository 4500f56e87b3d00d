"""Kind `llama_cpp`: GGUF models on this machine, each in a process of its own.

The parent's side: client, models, child, gguf_file. The child's side: worker, generation, engine,
vocabulary, sampling, grammar, chat_template. Only the child imports llama.cpp: a crash there ends no proxy.
"""
