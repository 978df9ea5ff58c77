"""The summary of a run that is printed before training."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .text import counted, note, printable

if TYPE_CHECKING:
    from mnist_nn import Config, Examples
    from mnist_nn.configuration.schema import AugmentationConfig
    from mnist_nn.runs.run_directory import RunDirectory
    from mnist_nn.training.state import TrainingState
    from mnist_nn.training.workers import Workers


def print_run_summary(
    run: "RunDirectory",
    config: "Config",
    state: "TrainingState",
    training: "Examples",
    validation: "Examples",
    workers: "Workers",
) -> None:
    """Print the network, cost, data and training settings on stderr."""
    source = config.data.source + (", deslanted" if config.data.deslant else "")
    network, settings = config.network, config.training
    sizes = "-".join(map(str, network.sizes))
    activation = "/".join(dict.fromkeys([network.activation, network.output]))
    schedule = settings.schedule if isinstance(settings.schedule, str) else settings.schedule.name
    extras = [
        f"{name} {value:g}"
        for name, value in (("warmup", settings.warmup), ("momentum", settings.momentum), ("l2", settings.l2))
        if value
    ]
    for name, value in (
        ("network", f"{sizes} {activation}, {state.network.parameters.size:,} parameters"),
        ("cost", config.cost.replace("_", " ")),
        ("data", f"{source}: {len(training):,} to train on, {len(validation):,} to validate"),
        ("distort", ", ".join(_distortions(config.augmentation))),
        ("steps", f"{counted(settings.epochs, 'epoch')} in batches of {settings.batch_size}"),
        ("rate", ", ".join([f"{settings.learning_rate:g} {schedule}", *extras])),
        ("shards", _shards(settings.shards or 1, workers)),
        ("compiled", "with Numba; compiling takes some seconds in the first run" if settings.compiled else ""),
        ("seed", f"{config.seed}, {config.dtype}"),
        ("run", printable(str(run.path))),
    ):
        if value:
            note(f"{name:<8} {value}")


def _shards(shards: int, workers: "Workers") -> str:
    """Return the number of shards and who computes them. Empty for one shard."""
    if shards == 1:
        return ""
    processes, threads = workers.processes, workers.threads
    if processes == 1:
        return f"{shards} of each batch, in {counted(threads, 'thread')}"
    return f"{shards} of each batch, in {processes} processes" + (f" of {threads} threads" if threads > 1 else "")


def _distortions(settings: "AugmentationConfig") -> Iterator[str]:
    """Yield a text for each configured distortion, such as "elastic σ 5 α 36" and "rotation ±10°"."""
    if settings.elastic.alpha:
        yield f"elastic σ {settings.elastic.sigma:g} α {settings.elastic.alpha:g}"
    if settings.rotation:
        yield f"rotation ±{settings.rotation:g}°"
    if settings.scaling:
        yield f"scaling ±{100 * settings.scaling:g}%"
    if settings.shear:
        yield f"shear ±{settings.shear:g}"
    if settings.shift:
        yield f"shift ±{settings.shift:g} px"
