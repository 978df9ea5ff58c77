"""The directory of the data files. Only this module reads NN_DATA_DIR."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_nn import Config


def data_directory(configured: str | None) -> Path:
    """Return the directory of the data files: `configured`, else $NN_DATA_DIR, else the user's cache directory."""
    if configured is not None:
        return Path(configured)
    if chosen := os.environ.get("NN_DATA_DIR"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("nn", appauthor=False)


def with_data(config: "Config", source: str | None, directory: str | None) -> "Config":
    """Return the configuration with another data source or directory. None keeps the present value.

    The directory becomes an absolute path. MNIST is the same everywhere, so its directory is recorded only if it is
    given. Raises ConfigError for a directory that a configuration cannot hold.
    """
    from mnist_nn.configuration.schema import Config
    from mnist_nn.errors import ConfigError

    values = config.plain()
    if source:
        values["data"] = {key: values["data"][key] for key in ("validation", "deslant")} | {"source": source}
    directory = values["data"].get("dir") if directory is None else directory
    if directory == "":
        raise ConfigError("data.dir: '': is empty; give a directory, or leave it out")
    if directory is not None or values["data"]["source"] == "idx":
        try:
            directory = str(data_directory(directory).absolute())
        except OSError as error:  # the working directory was removed
            raise ConfigError(
                f"data.dir: {directory}: is relative, but the working directory is unknown: {error.strerror}; "
                "give an absolute path"
            ) from None
        if not directory.isprintable():
            raise ConfigError(f"data.dir: {directory!r}: has characters that a configuration cannot hold; rename it")
        values["data"]["dir"] = directory
    return Config.model_validate(values)
