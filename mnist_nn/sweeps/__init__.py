"""Sweeps: many runs from one plan, and which setting is the best."""
