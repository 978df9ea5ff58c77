"""The training loop: shuffle the examples, take the steps, measure. It yields reports; the caller displays them."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ..configuration.schema import Config
from ..errors import DivergenceError
from ..examples.dataset import Examples, Labels
from ..examples.fresh_examples import fresh_examples
from ..examples.shuffling import Shuffling, Slice
from . import schedule
from .measuring import measure, measure_gradient, train_sample
from .snapshots import snapshot_steps
from .state import EpochResult, GradientNorms, TrainingState
from .steps import make_steps
from .threads import flops_per_step
from .workers import Workers

SLICE_FLOPS = 2e9  # about so many floating-point operations between two reports
SLICE_STEPS = 100  # at most so many steps between two reports


@dataclass(frozen=True)
class Progress:
    """A report of training after each slice of steps. It has a `result` where the slice completed an epoch.

    `epoch` counts the completed epochs, and `step` counts the steps taken since the last one. If the configuration asks
    for gradient norms, every report with a result has them. If it asks for snapshots, slices end at their steps, and
    these reports have `is_snapshot`. The norms and the snapshot of the untrained network come in a report of their own,
    before the first step.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    result: EpochResult | None = None
    is_best: bool = False
    gradient_norms: GradientNorms | None = None
    is_snapshot: bool = False

    @property
    def global_step(self) -> int:
        """The number of steps since the start of training."""
        return self.epoch * self.steps_per_epoch + self.step


def train(
    config: Config, state: TrainingState, training: Examples, validation: Examples, workers: Workers | None = None
) -> Iterator[Progress]:
    """Reports of training from `state` to the last epoch or to early stopping, one report after each slice of steps.

    `state` is changed in place, and complete at every report. If you save it there and pass it in again, training
    continues with the same bits. `training` and `validation` are the examples as the network sees them (see
    `prepare_examples`). Several `workers` share the work, and give the same bits and the same reports as one. (With
    more than one shard limit the BLAS to one thread, as the command does with threadpoolctl.) The first
    `next` raises ValueError where the state, the examples or the workers do not fit the configuration. Raises
    DivergenceError where a parameter after a slice, or a cost after an epoch, is NaN or infinite.
    """
    state.require_fit(config)
    for examples in (training, validation):
        examples.require_fit(state.network.sizes)
    if not len(training):
        raise ValueError("there are no examples to train on")
    shards = config.training.shards or 1
    workers = workers or Workers((config.training.threads or 1) if shards > 1 else 1)
    if shards % workers.processes:
        raise ValueError(f"training.shards: {shards}: cannot be shared by {workers.processes} processes")
    loop = Loop(config, state, training, workers)
    sample = train_sample(config.seed, training)
    settings = config.training
    snapshots = snapshot_steps(settings.snapshots, settings.epochs * loop.steps_per_epoch)

    def report(result: EpochResult | None = None, is_best: bool = False, *, with_norms: bool) -> Progress:
        norms = measure_gradient(config, state, sample, workers) if with_norms else None
        is_snapshot = state.epoch * loop.steps_per_epoch + state.step in snapshots
        return Progress(state.epoch, state.step, loop.steps_per_epoch, result, is_best, norms, is_snapshot)

    if state.epoch == state.step == 0 and (settings.gradient_norms or settings.snapshots):
        yield report(with_norms=settings.gradient_norms)
    slices = loop.shuffling.slices(settings.epochs, state.epoch, state.step, cuts=snapshots)
    with closing(fresh_examples(config, training, slices)) as fresh:
        while not state.is_finished(settings):
            learning_rate = schedule.learning_rate(state.epoch, settings)
            while state.step < loop.steps_per_epoch:
                started = time.perf_counter()
                steps, examples, rows = next(fresh)
                loop.run(steps, examples, rows, learning_rate)
                state.step = steps.last
                state.seconds += time.perf_counter() - started
                if not _finite(state.network.parameters.min(), state.network.parameters.max()):
                    raise _divergence(state, learning_rate, "a parameter")
                if state.step < loop.steps_per_epoch:
                    yield report(with_norms=False)
            result = measure(config, state, learning_rate, loop.steps_per_epoch, sample, validation, workers)
            if not _finite(result.train_cost, result.validation_cost or 0.0):
                raise _divergence(state, learning_rate, "the cost")
            is_best = state.best is None or result.quality > state.best.quality
            if is_best:
                state.best = result
            state.epoch, state.step, state.seconds = state.epoch + 1, 0, 0.0
            yield report(result, is_best, with_norms=settings.gradient_norms)


class Loop:
    """The inner loop: the slices of steps, and how they are taken."""

    def __init__(self, config: Config, state: TrainingState, training: Examples, workers: Workers) -> None:
        """Raises ConfigError where the configuration asks for compiled steps and Numba is missing."""
        n, m = len(training), min(config.training.batch_size, len(training))
        steps_per_slice = int(max(1, min(SLICE_STEPS, SLICE_FLOPS // flops_per_step(state.network.sizes, m))))
        self.shuffling = Shuffling(config.seed, n, m, steps_per_slice, workers.rank, workers.processes)
        self.steps_per_epoch = self.shuffling.steps_per_epoch
        self.steps = make_steps(config, state.network, state.velocity, training, m, workers)

    @np.errstate(all="ignore")  # `train` checks for NaN and infinity after the slice
    def run(self, steps: Slice, examples: Examples, rows: Labels, learning_rate: float) -> None:
        """Take the steps of a slice with these rows of the examples (see `fresh_examples`)."""
        self.steps(examples, rows, steps.sizes, learning_rate)


def _finite(*values: float) -> bool:
    return all(np.isfinite(value) for value in values)


def _divergence(state: TrainingState, learning_rate: float, what: str) -> DivergenceError:
    return DivergenceError(
        f"training diverged in epoch {state.epoch + 1}, by step {state.step}: {what} is NaN or infinite; "
        f"try a smaller training.learning_rate (it was {learning_rate:g}), or another network.init"
    )
