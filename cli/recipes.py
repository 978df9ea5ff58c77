"""CONFIG: a path to a YAML file, or the name of a recipe that is shipped with the program."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_nn import Config


def recipe_names() -> list[str]:
    """The shipped recipes."""
    from importlib.resources import files

    names = (file.name for file in files("nn_configs").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def read_recipe(config: str, overrides: Sequence[str]) -> "Config":
    """The configuration of a recipe or a file, with overrides applied. Raises ConfigError."""
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
    """What to call a run of it: the recipe, or the file's name; of a run's own config.yaml, that run's recipe."""
    from mnist_nn.errors import RunError
    from mnist_nn.runs.run_directory import RunDirectory

    if config in recipe_names():
        return config
    try:
        return Path(str(RunDirectory.open(Path(config).parent).description()["recipe"])).name
    except (RunError, KeyError):
        return Path(config).stem
