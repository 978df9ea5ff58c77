"""Measurements at the end of an epoch: cost, accuracy, and the norms of the gradient."""

import numpy as np

from ..chapter.cost import COSTS
from ..configuration.schema import Config
from ..examples.dataset import Examples
from ..examples.shuffling import cut
from ..randomness import stream
from .evaluation import evaluate
from .sharded_gradient import ShardedGradient
from .state import EpochResult, GradientNorms, TrainingState
from .workers import Workers

TRAIN_SAMPLE = 10_000  # training examples used to measure each epoch's training cost and accuracy
GRADIENT_SAMPLE = 1_000  # of these, the first ones are used to measure the gradient norms


def train_sample(seed: int, training: Examples) -> Examples:
    """The training examples used to measure every epoch: all, or a fixed random sample of TRAIN_SAMPLE."""
    if len(training) <= TRAIN_SAMPLE:
        return training
    rows = stream(seed, "sample").choice(len(training), TRAIN_SAMPLE, replace=False)
    return training[np.sort(rows)]


def measure(
    config: Config,
    state: TrainingState,
    learning_rate: float,
    steps_per_epoch: int,
    sample: Examples,
    validation: Examples,
    workers: Workers,
) -> EpochResult:
    """The cost and accuracy at the end of an epoch. `state.epoch` does not yet count this epoch."""
    cost = COSTS[config.cost]
    on_sample = evaluate(state.network, cost, sample, workers)
    on_validation = evaluate(state.network, cost, validation, workers) if len(validation) else None
    return EpochResult(
        epoch=state.epoch + 1,
        step=(state.epoch + 1) * steps_per_epoch,
        learning_rate=learning_rate,
        train_cost=on_sample.cost,
        train_accuracy=on_sample.accuracy,
        validation_cost=on_validation.cost if on_validation else None,
        validation_accuracy=on_validation.accuracy if on_validation else None,
        seconds=state.seconds,
    )


@np.errstate(all="ignore")  # infinite and NaN values show in the norms
def measure_gradient(config: Config, state: TrainingState, sample: Examples, workers: Workers) -> GradientNorms:
    """The gradient norms of the network as it is now, computed in float64, in the shards of a training step."""
    network = state.network.astype(np.float64)
    m, shards = min(GRADIENT_SAMPLE, len(sample)), config.training.shards or 1
    own = np.arange(m)[cut(m, workers.rank, workers.processes)]
    gradient = ShardedGradient(network, COSTS[config.cost], sample, m, shards, workers)(sample, own, m)
    return GradientNorms(
        state.epoch,
        dC_dw={l: float(np.linalg.norm(gradient.dC_dw[l])) for l in network.layers},
        dC_db={l: float(np.linalg.norm(gradient.dC_db[l])) for l in network.layers},
    )
