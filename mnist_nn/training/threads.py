"""The number of threads for a training step."""

from collections.abc import Collection

from ..chapter.network import number_of_parameters
from ..configuration.schema import Config

# Arithmetic per thread and step below which a second thread costs more than it gains. The faster the BLAS, the larger
# this number. OpenBLAS's kernels for AVX-512, here by OpenBLAS's names, are the fastest.
FLOPS_PER_THREAD = 20e6
FLOPS_PER_FAST_THREAD = 150e6
FAST_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}


def flops_per_step(sizes: list[int] | tuple[int, ...], m: int) -> int:
    """The number of floating-point operations in a step's matrix products for m examples.

    Each of the three products w a, wᵀ ∂C/∂z and ∂C/∂z aᵀ takes two operations for each weight and example.
    """
    return 6 * number_of_parameters(sizes) * m


def threads_for(config: Config, available: int, kernels: Collection[str], processes: int = 1) -> int:
    """The number of threads to use in each process: `training.threads`, or without that setting 1 to `available`.

    With one shard they are the threads of the matrix products, and change the last bits. The default depends on the
    size of a step and on the BLAS's kernels only. So it is always the same on one machine, and a run is repeatable.
    With more shards each thread takes shards of its own, and changes nothing.
    """
    if config.training.threads is not None:
        return config.training.threads
    if (shards := config.training.shards or 1) > 1:
        available = min(available, shards // processes)
    worth = FLOPS_PER_FAST_THREAD if FAST_KERNELS.intersection(kernels) else FLOPS_PER_THREAD
    worthwhile = int(flops_per_step(config.network.sizes, config.training.batch_size) / processes / worth)
    return max(1, min(worthwhile, available))
