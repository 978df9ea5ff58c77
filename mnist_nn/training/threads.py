"""How many threads the matrix products of a training step repay."""

from collections.abc import Collection

from ..chapter.network import number_of_parameters
from ..configuration.schema import Config

# Of a step, for each thread: with less than that, two wait for one another longer than they work. The faster the BLAS
# computes, the more it takes; OpenBLAS's kernels for AVX-512, by the names that it gives them, are the fastest.
FLOPS_PER_THREAD = 20e6
FLOPS_PER_FAST_THREAD = 150e6
FAST_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}


def flops_per_step(sizes: list[int] | tuple[int, ...], m: int) -> int:
    """Floating-point operations of the products for m examples: w a, wᵀ ∂C/∂z and ∂C/∂z aᵀ, two for each weight."""
    return 6 * number_of_parameters(sizes) * m


def threads_for(config: Config, available: int, kernels: Collection[str]) -> int:
    """What the configuration says; without it 1 to `available`, by the size of a step and the kernels of the BLAS.

    These are the same each time on one machine, so that a run is repeatable.
    """
    if config.training.threads is not None:
        return config.training.threads
    worth = FLOPS_PER_FAST_THREAD if FAST_KERNELS.intersection(kernels) else FLOPS_PER_THREAD
    worthwhile = int(flops_per_step(config.network.sizes, config.training.batch_size) / worth)
    return max(1, min(worthwhile, available))
