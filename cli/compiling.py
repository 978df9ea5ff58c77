"""Whether a new run compiles its steps, if its configuration leaves that open."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_nn import Config


def with_compiled(config: "Config", examples: int) -> "Config":
    """Return the configuration with `training.compiled` set. If it is null: true where Numba is there and it pays."""
    from importlib.util import find_spec

    from mnist_nn import Config
    from mnist_nn.training.compiling import compiling_pays

    if config.training.compiled is not None:
        return config
    values = config.plain()
    values["training"]["compiled"] = find_spec("numba") is not None and compiling_pays(config, examples)
    return Config.model_validate(values)
