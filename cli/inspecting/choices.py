"""What the user chose to inspect: a network, and one of its parameters."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..text import note, printable

if TYPE_CHECKING:
    from mnist_nn import Network
    from mnist_nn.explaining.parameter import Parameter
    from mnist_nn.runs.checkpoint import Checkpoint
    from mnist_nn.training.state import GradientNorms


@dataclass(frozen=True)
class Subject:
    """The network to inspect: its name, its checkpoint, and what its run recorded.

    `directory` is the run directory, or None without one. `norms` are the gradient norms of its epochs.
    """

    name: str
    checkpoint: "Checkpoint"
    norms: "list[GradientNorms]"
    directory: Path | None = None


def find_subject(run: str | None, name: Literal["best", "last"] | None, init: bool) -> Subject:
    """Return the network of RUN. With `init` it is untrained, and `run` may also be a CONFIG.

    Raises RunError, CheckpointError, ConfigError or UsageError.
    """
    from mnist_nn import initial_state, load_checkpoint, read_config
    from mnist_nn.configuration.recipes import recipe_names
    from mnist_nn.errors import RunError
    from mnist_nn.runs.checkpoint import Checkpoint
    from mnist_nn.runs.run_directory import RunDirectory

    from ..recipes import recipe_name
    from ..runs import find_checkpoint

    if (
        init
        and run is not None
        and (run in recipe_names() or (Path(run).is_file() and Path(run).suffix != ".safetensors"))
    ):
        config = read_config(run)
        return Subject(recipe_name(run), Checkpoint(config, initial_state(config)), [])
    if init and name is not None:
        raise click.UsageError("--init and --checkpoint cannot be used together; --init is the network before training")
    is_file = run is not None and Path(run).is_file()
    file = find_checkpoint(run, "last" if init and not is_file else name).absolute()
    loaded = load_checkpoint(file)
    if init:
        loaded = Checkpoint(loaded.config, initial_state(loaded.config))
    directory = RunDirectory(file.parent.parent)
    if not (file.parent.name in ("checkpoints", "snapshots") and directory.exists):
        return Subject(file.name, loaded, [])
    try:
        norms = directory.gradient_norms(loaded.config)
    except RunError as error:
        note(f"{printable(str(error))}; the chart of the gradient norms is left out")
        norms = []
    return Subject(directory.path.name, loaded, norms, directory.path)


def check_comparable(first: Subject, second: Subject) -> None:
    """Check that two networks can be compared on the same examples. Raises UsageError where they differ too much."""
    from mnist_nn.runs.comparing import setting_text

    one, other = first.checkpoint.config, second.checkpoint.config
    for key, value, other_value, needed in (
        ("network.sizes", list(one.network.sizes), list(other.network.sizes), "networks of the same sizes"),
        ("data.deslant", one.data.deslant, other.data.deslant, "networks whose inputs are prepared the same way"),
        ("cost", one.cost, other.cost, "networks with the same cost function"),
    ):
        if value != other_value:
            raise click.UsageError(
                f"{key} is {setting_text(value)} in {printable(first.name)}, but {setting_text(other_value)} in "
                f"{printable(second.name)}; compare two {needed}"
            )


def choose_parameter(
    network: "Network", weight: tuple[int, int, int] | None, bias: tuple[int, int] | None
) -> "Parameter | None":
    """Return the parameter of --weight or --bias, or None without them.

    Raises UsageError if the network does not have this parameter.
    """
    from mnist_nn.explaining.parameter import Parameter

    if weight is not None and bias is not None:
        raise click.UsageError("--weight and --bias cannot be used together; choose one")
    place = weight or bias
    if place is None:
        return None
    parameter = Parameter(*place)
    layer, j, k = parameter.layer, parameter.j, parameter.k
    name = f"--bias {layer},{j}" if k is None else f"--weight {layer},{j},{k}"
    if not 1 <= layer <= network.L:
        raise click.UsageError(f"{name}: there is no layer {layer}; w and b have layers 1 to {network.L}")
    n, n_prev = network.w[layer].shape
    if j >= n:
        raise click.UsageError(f"{name}: layer {layer} has neurons 0 to {n - 1}, no neuron {j}")
    if k is not None and k >= n_prev:
        raise click.UsageError(f"{name}: layer {layer - 1} has neurons 0 to {n_prev - 1}, no neuron {k}")
    return parameter
