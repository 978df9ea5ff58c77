"""Explain derivatives: their factors, their paths, the whole gradient of a tiny network, and the gradient check."""
