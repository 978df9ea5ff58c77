"""The argument CONFIG: the name of a recipe that is part of `nn`, or the path of a YAML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_nn import Config


def recipe_names() -> list[str]:
    """Return the sorted names of the recipes."""
    from importlib.resources import files

    names = (file.name for file in files("nn_configs").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def read_recipe(config: str, overrides: Sequence[str]) -> "Config":
    """Return the configuration of a recipe or a file, with the overrides applied. Raises ConfigError."""
    from importlib.resources import as_file, files

    from mnist_nn.configuration.reader import read_config
    from mnist_nn.errors import ConfigError

    if config in recipe_names():
        with as_file(files("nn_configs") / f"{config}.yaml") as path:
            return read_config(path, overrides)
    if not Path(config).exists():
        raise ConfigError(f"{config}: is neither a file nor a recipe; the recipes are {', '.join(recipe_names())}")
    return read_config(Path(config), overrides)


def recipe_name(config: str) -> str:
    """Return the name for a run of `config`: the recipe, or the file's name without its suffix.

    For the config.yaml of a run, return the recipe of that run.
    """
    from mnist_nn.errors import RunError
    from mnist_nn.runs.run_directory import RunDirectory

    if config in recipe_names():
        return config
    try:
        return Path(str(RunDirectory.open(Path(config).parent).description()["recipe"])).name
    except (RunError, KeyError):
        return Path(config).stem
