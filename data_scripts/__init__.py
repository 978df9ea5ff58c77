"""Sources of digits, as plain NumPy arrays: IDX files, the MNIST download, and digits drawn by the program."""
