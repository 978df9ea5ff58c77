"""The training loop: shuffle; for each mini-batch forward, backprop, step. It yields, the caller reports."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from . import schedule
from .backprop import BackwardPass, Gradient, backprop
from .config import Config, InitialValues, TrainingConfig
from .cost import COSTS
from .dataset import Batches, Examples, Labels, columns
from .errors import DivergenceError
from .evaluation import evaluate
from .fresh_examples import fresh_examples
from .initialization import initialize
from .network import ForwardPass, Network, forward
from .randomness import stream
from .sgd import SGD, add_l2
from .threads import flops_per_step

TRAIN_SAMPLE = 10_000  # training images on which an epoch's train figures are measured
GRADIENT_SAMPLE = 1_000  # and the first of them, for its gradient norms
SLICE_FLOPS = 2e9  # about as much arithmetic between two reports
SLICE_STEPS = 100  # and at most so many steps


@dataclass(frozen=True)
class EpochResult:
    """The figures at the end of an epoch (counted from 1); `step` counts from the start of training.

    Costs are C, averaged over the examples, without the L2 term; `seconds` is time spent training in this
    epoch alone (0 of one that comes from a checkpoint). The validation figures are None where no examples are held out.
    """

    epoch: int
    step: int
    learning_rate: float
    train_cost: float
    train_accuracy: float
    validation_cost: float | None
    validation_accuracy: float | None
    seconds: float

    @property
    def quality(self) -> tuple[float, float]:
        """What makes one epoch better than another: accuracy, then cost, on validation examples if any."""
        if self.validation_accuracy is None or self.validation_cost is None:
            return self.train_accuracy, -self.train_cost
        return self.validation_accuracy, -self.validation_cost


@dataclass(frozen=True)
class GradientNorms:
    """‖∂C/∂w^(l)‖ and ‖∂C/∂b^(l)‖ of each layer l = 1..L after an epoch; epoch 0 is the untrained network.

    Euclidean, of the gradient averaged over the examples, without the L2 term; infinite or NaN where that is.
    """

    epoch: int
    dC_dw: dict[int, float]
    dC_db: dict[int, float]


@dataclass
class TrainingState:
    """All that training changes: with the configuration and the data it decides every later step."""

    network: Network
    velocity: np.ndarray  # of momentum, as long as the parameters; empty without momentum
    epoch: int = 0  # epochs completed
    step: int = 0  # steps done in the epoch under way
    seconds: float = 0.0  # spent training in the epoch under way
    best: EpochResult | None = None


@dataclass(frozen=True)
class Progress:
    """Yielded after each slice of batches; with a `result` where that completed an epoch.

    `epoch` counts the epochs completed, `step` the steps done since. Where the configuration asks for
    `gradient_norms`, they come with each result, and once more before the first step.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    result: EpochResult | None = None
    is_best: bool = False
    gradient_norms: GradientNorms | None = None


@np.errstate(over="ignore")  # a value beyond the precision becomes infinite, which training reports
def build_network(config: Config) -> Network:
    """The untrained network of a configuration, initialised from its seed."""
    network = Network(
        config.network.sizes,
        activation=config.network.activation,
        output=config.network.output,
        dtype=config.dtype,
    )
    init = config.network.init
    if isinstance(init, InitialValues):
        for l in network.layers:
            network.w[l][:] = init.w[l]
            network.b[l][:, 0] = init.b[l]
    else:
        initialize(network, init, stream(config.seed, "initialization"))
    return network


def initial_state(config: Config) -> TrainingState:
    """Where training starts."""
    network = build_network(config)
    return TrainingState(network, SGD(config.training.momentum).new_velocity(network))


def train(config: Config, state: TrainingState, training: Examples, validation: Examples) -> Iterator[Progress]:
    """Train from `state` (changed in place) to the last epoch, or to early stopping.

    `state` is whole at every yield: saved there and handed in again, training goes on to the same bits.
    Raises DivergenceError after the slice of steps that made a parameter NaN or infinite, or the epoch that made
    a cost so.
    """
    loop = Loop(config, state.network, training)
    sample = _fixed_sample(config.seed, training)
    settings = config.training
    if settings.gradient_norms and state.epoch == state.step == 0:
        yield Progress(0, 0, loop.steps_per_epoch, gradient_norms=_gradient_norms(config, state, sample))
    with closing(fresh_examples(config, training, state.epoch)) as fresh:
        while not is_finished(settings, state):
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
            result = _measure(config, state, learning_rate, loop.steps_per_epoch, sample, validation)
            is_best = state.best is None or result.quality > state.best.quality
            if is_best:
                state.best = result
            state.epoch, state.step, state.seconds = state.epoch + 1, 0, 0.0
            norms = _gradient_norms(config, state, sample) if settings.gradient_norms else None
            yield Progress(state.epoch, 0, loop.steps_per_epoch, result, is_best, norms)


def is_finished(settings: TrainingConfig, state: TrainingState) -> bool:
    """Whether the last epoch is done, or early stopping has run out of patience."""
    patience = settings.early_stopping
    stale = patience is not None and state.best is not None and state.epoch - state.best.epoch >= patience
    return state.epoch >= settings.epochs or stale


class Loop:
    """The buffers of the inner loop, made once: one set per batch size, the last batch may be smaller."""

    def __init__(self, config: Config, network: Network, training: Examples) -> None:
        """Raises ConfigError where compiled steps are asked for and cannot be had."""
        self.network = network
        self.cost = COSTS[config.cost]
        self.sgd = SGD(config.training.momentum)
        self.l2 = config.training.l2
        self.batch_size = min(config.training.batch_size, len(training))
        self.steps_per_epoch = -(-len(training) // self.batch_size)
        flops = flops_per_step(network.sizes, self.batch_size)
        self.steps_per_slice = int(max(1, min(SLICE_STEPS, SLICE_FLOPS // flops)))
        self.gradient = Gradient(network)
        self.scratch = np.empty_like(network.parameters) if self.l2 else None
        self.batches = Batches(training, self.batch_size, network.parameters.dtype)
        self.buffers = {
            m: (ForwardPass.empty(network, m), BackwardPass.empty(network, m, self.gradient))
            for m in {self.batch_size, len(training) % self.batch_size} - {0}
        }
        self.compiled = None
        if config.training.compiled:
            from .compiled import CompiledSteps  # Numba takes its time, and is an option

            self.compiled = CompiledSteps(network, self.cost, self.sgd.momentum, self.l2, self.buffers)

    @np.errstate(all="ignore")  # NaN and infinity are looked for after the slice
    def run(self, order: Labels, first: int, last: int, velocity: np.ndarray, learning_rate: float) -> None:
        """Steps first..last−1 of the epoch whose shuffled order is given."""
        rows = order[first * self.batch_size : last * self.batch_size]
        if self.compiled is not None:
            for x_rows, y_rows in self.batches.chunks(rows):
                self.compiled(x_rows, y_rows, velocity, learning_rate)
            return
        for x, y in self.batches.of(rows):
            forward_pass, backward_pass = self.buffers[x.shape[1]]
            forward(self.network, x, out=forward_pass)
            backprop(self.network, self.cost, forward_pass, y, out=backward_pass, scale=learning_rate)
            if self.l2:
                add_l2(self.network, self.gradient, learning_rate * self.l2, self.scratch)
            self.sgd.step(self.network, self.gradient, velocity)


def _fixed_sample(seed: int, training: Examples) -> Examples:
    if len(training) <= TRAIN_SAMPLE:
        return training
    rows = stream(seed, "sample").choice(len(training), TRAIN_SAMPLE, replace=False)
    return training[np.sort(rows)]


def _measure(
    config: Config,
    state: TrainingState,
    learning_rate: float,
    steps_per_epoch: int,
    sample: Examples,
    validation: Examples,
) -> EpochResult:
    cost = COSTS[config.cost]
    on_sample = evaluate(state.network, cost, sample)
    on_validation = evaluate(state.network, cost, validation) if len(validation) else None
    if not _finite(on_sample.cost, on_validation.cost if on_validation else 0.0):
        raise _divergence(state, learning_rate, "the cost")
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


@np.errstate(all="ignore")  # what is infinite shows in the norms
def _gradient_norms(config: Config, state: TrainingState, sample: Examples) -> GradientNorms:
    network = state.network.astype(np.float64)
    x, y = columns(sample[:GRADIENT_SAMPLE], np.float64)
    gradient = backprop(network, COSTS[config.cost], forward(network, x), y).gradient
    return GradientNorms(
        state.epoch,
        dC_dw={l: float(np.linalg.norm(gradient.dC_dw[l])) for l in network.layers},
        dC_db={l: float(np.linalg.norm(gradient.dC_db[l])) for l in network.layers},
    )


def _finite(*values: float) -> bool:
    return all(np.isfinite(value) for value in values)


def _divergence(state: TrainingState, learning_rate: float, what: str) -> DivergenceError:
    return DivergenceError(
        f"training diverged in epoch {state.epoch + 1}, by step {state.step}: {what} is NaN or infinite; "
        f"try a smaller training.learning_rate (it was {learning_rate:g}), or another network.init"
    )
