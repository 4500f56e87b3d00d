"""Weights to a sealed checkpoint: the ONNX graph, 8-bit layers, the manifest."""
