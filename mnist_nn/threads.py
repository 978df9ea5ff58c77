"""How many threads the matrix products of a training step repay."""

from .config import Config
from .network import number_of_parameters

FLOPS_PER_THREAD = (
    20e6  # of a step: with less than that for each, two threads wait for one another longer than they work
)


def flops_per_step(sizes: list[int] | tuple[int, ...], m: int) -> int:
    """Floating-point operations of the products for m examples: w a, wᵀ ∂C/∂z and ∂C/∂z aᵀ, two for each weight."""
    return 6 * number_of_parameters(sizes) * m


def threads_for(config: Config, available: int) -> int:
    """What the configuration says; without it 1 to `available`, by the size of a step alone, which is repeatable."""
    if config.training.threads is not None:
        return config.training.threads
    worthwhile = int(flops_per_step(config.network.sizes, config.training.batch_size) / FLOPS_PER_THREAD)
    return max(1, min(worthwhile, available))
