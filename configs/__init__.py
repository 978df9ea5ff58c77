"""The recipes, as YAML. Installed as the package nn_configs."""
