"""The recipes: the configurations that are installed with this package, in nn_configs."""

from importlib.resources import files


def recipe_names() -> list[str]:
    """The sorted names of the recipes."""
    names = (file.name for file in files("nn_configs").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def recipe_text(name: str) -> str:
    """The YAML text of a recipe."""
    return (files("nn_configs") / f"{name}.yaml").read_text(encoding="utf-8")
