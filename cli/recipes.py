"""The name of a run, from its argument CONFIG."""

from pathlib import Path


def recipe_name(config: str) -> str:
    """Return the name for a run of `config`: the recipe, or the file's name without its suffix.

    For the config.yaml of a run, return the recipe of that run. Leading dots are left out: they would hide the run.
    """
    from mnist_nn.configuration.recipes import recipe_names
    from mnist_nn.errors import RunError
    from mnist_nn.runs.run_directory import RunDirectory

    if config in recipe_names():
        return config
    try:
        name = Path(str(RunDirectory.open(Path(config).parent).description()["recipe"])).name
    except (RunError, KeyError):
        name = Path(config).stem
    return name.lstrip(".") or "config"
