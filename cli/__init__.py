"""The command `nn`: one module for each command, and shared helpers. Installed as the package nn_cli."""
