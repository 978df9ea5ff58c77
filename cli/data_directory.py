"""Where data files are read and kept: the only place that reads NN_DATA_DIR."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_nn import Config


def data_directory(configured: str | None) -> Path:
    """The directory of data files: as configured, else $NN_DATA_DIR, else the user's cache directory."""
    if configured is not None:
        return Path(configured)
    if chosen := os.environ.get("NN_DATA_DIR"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("nn", appauthor=False)


def with_data(config: "Config", source: str | None, directory: str | None) -> "Config":
    """The configuration with another data source or directory; the directory becomes an absolute path.

    MNIST is the same everywhere, so no directory is recorded for it unless one is given. Raises ConfigError.
    """
    from mnist_nn.configuration.schema import Config
    from mnist_nn.errors import ConfigError

    values = config.plain()
    if source:
        values["data"] = {key: values["data"][key] for key in ("validation", "deslant")} | {"source": source}
    directory = values["data"].get("dir") if directory is None else directory
    if directory == "":
        raise ConfigError("data.dir: '': is empty; name a directory, or leave it out")
    if directory is not None or values["data"]["source"] == "idx":
        try:
            directory = str(data_directory(directory).absolute())
        except OSError as error:  # the working directory was removed
            raise ConfigError(
                f"data.dir: {directory}: is relative to a working directory that cannot be told: {error.strerror}"
            ) from None
        if not directory.isprintable():
            raise ConfigError(f"data.dir: {directory!r}: has characters that cannot be written into a configuration")
        values["data"]["dir"] = directory
    return Config.model_validate(values)
