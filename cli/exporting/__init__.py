"""The command `nn export` and its parts."""
