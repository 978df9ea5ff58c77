"""The training loop: shuffle the examples, take the steps, measure. It yields reports; the caller displays them."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ..chapter.activation import Array
from ..chapter.network import Network
from ..configuration.schema import Config
from ..errors import DivergenceError
from ..examples.dataset import Batches, Examples, Labels
from ..examples.fresh_examples import fresh_examples
from ..randomness import stream
from . import schedule
from .measuring import measure, measure_gradient, train_sample
from .state import EpochResult, GradientNorms, TrainingState
from .steps import make_steps
from .threads import flops_per_step

SLICE_FLOPS = 2e9  # about so many floating-point operations between two reports
SLICE_STEPS = 100  # at most so many steps between two reports


@dataclass(frozen=True)
class Progress:
    """A report of training after each slice of steps. It has a `result` where the slice completed an epoch.

    `epoch` counts the completed epochs, and `step` counts the steps taken since the last one. If the configuration asks
    for gradient norms, every report with a result has them. The norms of the untrained network come in a report of
    their own, before the first step.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    result: EpochResult | None = None
    is_best: bool = False
    gradient_norms: GradientNorms | None = None


def train(config: Config, state: TrainingState, training: Examples, validation: Examples) -> Iterator[Progress]:
    """Reports of training from `state` to the last epoch or to early stopping, one report after each slice of steps.

    `state` is changed in place, and complete at every report. If you save it there and pass it in again, training
    continues with the same bits. `training` and `validation` are the examples as the network sees them (see
    `prepare_examples`). The first `next` raises ValueError where the state or the examples do not fit the
    configuration. Raises DivergenceError where a parameter after a slice, or a cost after an epoch, is NaN or infinite.
    """
    state.require_fit(config)
    for examples in (training, validation):
        examples.require_fit(state.network.sizes)
    if not len(training):
        raise ValueError("there are no examples to train on")
    loop = Loop(config, state.network, training)
    sample = train_sample(config.seed, training)
    settings = config.training
    if settings.gradient_norms and state.epoch == state.step == 0:
        yield Progress(0, 0, loop.steps_per_epoch, gradient_norms=measure_gradient(config, state, sample))
    with closing(fresh_examples(config, training, state.epoch)) as fresh:
        while not state.is_finished(settings):
            learning_rate = schedule.learning_rate(state.epoch, settings)
            started = time.perf_counter()
            order = stream(config.seed, "shuffle", state.epoch).permutation(len(training))
            loop.batches.examples = next(fresh)
            while state.step < loop.steps_per_epoch:
                last = min(state.step + loop.steps_per_slice, loop.steps_per_epoch)
                loop.run(order, state.step, last, state.velocity, learning_rate)
                state.step = last
                state.seconds += time.perf_counter() - started
                if not _finite(state.network.parameters.min(), state.network.parameters.max()):
                    raise _divergence(state, learning_rate, "a parameter")
                if last < loop.steps_per_epoch:
                    yield Progress(state.epoch, state.step, loop.steps_per_epoch)
                started = time.perf_counter()
            result = measure(config, state, learning_rate, loop.steps_per_epoch, sample, validation)
            if not _finite(result.train_cost, result.validation_cost or 0.0):
                raise _divergence(state, learning_rate, "the cost")
            is_best = state.best is None or result.quality > state.best.quality
            if is_best:
                state.best = result
            state.epoch, state.step, state.seconds = state.epoch + 1, 0, 0.0
            norms = measure_gradient(config, state, sample) if settings.gradient_norms else None
            yield Progress(state.epoch, 0, loop.steps_per_epoch, result, is_best, norms)


class Loop:
    """The inner loop. The last batch of an epoch may be smaller, so there are buffers for up to two batch sizes."""

    def __init__(self, config: Config, network: Network, training: Examples) -> None:
        """Raises ConfigError where the configuration asks for compiled steps and Numba is missing."""
        self.batch_size = min(config.training.batch_size, len(training))
        self.steps_per_epoch = -(-len(training) // self.batch_size)
        flops = flops_per_step(network.sizes, self.batch_size)
        self.steps_per_slice = int(max(1, min(SLICE_STEPS, SLICE_FLOPS // flops)))
        self.batches = Batches(training, self.batch_size, network.parameters.dtype)
        self.steps = make_steps(config, network, {self.batch_size, len(training) % self.batch_size} - {0})

    @np.errstate(all="ignore")  # `train` checks for NaN and infinity after the slice
    def run(self, order: Labels, first: int, last: int, velocity: Array, learning_rate: float) -> None:
        """Take steps first..last−1 of the epoch with this shuffled order."""
        rows = order[first * self.batch_size : last * self.batch_size]
        self.steps(self.batches, rows, velocity, learning_rate)


def _finite(*values: float) -> bool:
    return all(np.isfinite(value) for value in values)


def _divergence(state: TrainingState, learning_rate: float, what: str) -> DivergenceError:
    return DivergenceError(
        f"training diverged in epoch {state.epoch + 1}, by step {state.step}: {what} is NaN or infinite; "
        f"try a smaller training.learning_rate (it was {learning_rate:g}), or another network.init"
    )
