"""When it pays to compile the steps: in long trainings of small networks."""

from ..configuration.schema import MAX_COMPILED_LAYERS, Config

COMPILING = 6.0  # seconds to compile and to load Numba
SAVED = 4e-6  # seconds a layer and step: the calls between the products
SIGMA = 1.5e-9  # seconds a neuron and example: Numba computes e^(−z) for one at a time, NumPy for several


def compiling_pays(config: Config, examples: int) -> bool:
    """Whether a training of this many examples ends earlier with compiled steps, compiling included.

    It depends on the configuration only. So a run that is repeated has the same bits.
    """
    sizes, settings = config.network.sizes, config.training
    L, m = len(sizes) - 1, min(settings.batch_size, examples)
    if L > MAX_COMPILED_LAYERS or (settings.shards or 1) > 1:
        return False
    steps = settings.epochs * -(-examples // m)
    return steps * (SAVED * L - SIGMA * sum(sizes[1:]) * m) > COMPILING
