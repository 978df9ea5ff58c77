"""Training: the loop, its state, its steps with NumPy or Numba, and the evaluation of the network."""
