"""Where a derivative comes from: its factors, its paths, the whole gradient of a tiny network, and its check."""
