"""Where digits come from, as plain NumPy arrays: IDX files, the MNIST download, digits drawn by the program."""
