"""How the shipped checkpoint is made: data to labels to weights to a sealed directory. Needs the extra `train`."""
