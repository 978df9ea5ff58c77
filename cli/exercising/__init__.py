"""The command `nn exercise`."""
