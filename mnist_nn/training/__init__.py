"""Training: the loop, its state, its steps by NumPy or Numba, and how good the network has become."""
