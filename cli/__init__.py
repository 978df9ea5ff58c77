"""The command `nn`: one module per command, and what they share. Installed as the package nn_cli."""
