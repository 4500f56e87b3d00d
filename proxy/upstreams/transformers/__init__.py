"""Kind `transformers`: Hugging Face models on this machine, which read long texts as soft memory."""
