"""The methods as modules of torch: SAC, IC-Former, EPL and rivals, their memory and checkpoints."""
