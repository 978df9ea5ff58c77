"""Whether and how several processes can share a run."""

from typing import TYPE_CHECKING

from .text import note

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.training.workers import Workers

WORTHWHILE = 32  # examples a step for each process: with fewer, the exchange takes longer than it saves


def with_shards(config: "Config", workers: "Workers") -> "Config":
    """Return the configuration with the number of shards set: one for each process, if it is null.

    Raises ConfigError if the batches cannot be cut like that.
    """
    from mnist_nn import Config
    from mnist_nn.errors import ConfigError

    processes, m = workers.processes, config.training.batch_size
    if config.training.shards is None:
        if processes & (processes - 1):
            possible = 2 ** (processes.bit_length() - 1)
            raise ConfigError(f"{processes} processes: their number must be a power of two, such as {possible}")
        if processes > m:
            raise ConfigError(
                f"training.batch_size: {m}: is less than the {processes} processes; start at most {m} of them, "
                f"or try --set training.batch_size={WORTHWHILE * processes}"
            )
        if processes > 1 and config.training.compiled:
            raise ConfigError("training.compiled: true: works in one process only; set it to false")
        values = config.plain()
        values["training"]["shards"] = processes
        config = Config.model_validate(values)
    require_divisible(config, workers)
    return config


def require_divisible(config: "Config", workers: "Workers") -> None:
    """Raise ConfigError unless the processes can share the shards evenly."""
    from mnist_nn.errors import ConfigError

    shards = config.training.shards or 1
    if shards % workers.processes:
        possible = ", ".join(str(2**i) for i in range(shards.bit_length()))
        raise ConfigError(
            f"training.shards: {shards}: cannot be shared evenly by {workers.processes} processes; "
            f"start {possible} of them, or train anew with "
            f"--set training.shards={2 ** (workers.processes - 1).bit_length()}"
        )


def advise(config: "Config", workers: "Workers") -> None:
    """Say so if several processes are probably slower than one."""
    m, processes = config.training.batch_size, workers.processes
    if processes > 1 and m < WORTHWHILE * processes:
        note(
            f"note: {processes} processes are probably slower than one with batches of {m}, because they exchange "
            f"the gradient after every step; use batches of {WORTHWHILE * processes} or more"
        )
