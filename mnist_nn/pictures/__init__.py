"""Pictures of handwriting: the ink, its pieces, and the digits that they form, as arrays."""
