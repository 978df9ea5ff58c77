"""The state of a training run: everything that training changes, and what it reports."""

from dataclasses import dataclass

import numpy as np

from ..chapter.activation import Array
from ..chapter.network import Network
from ..chapter.sgd import SGD
from ..configuration.schema import Config, InitialValues, TrainingConfig
from ..randomness import stream
from .initialization import initialize


@dataclass(frozen=True)
class EpochResult:
    """The figures at the end of an epoch (counted from 1); `step` counts from the start of training.

    Costs are C, averaged over the examples, without the L2 term. `seconds` is the time spent on this epoch's steps
    (0 in a checkpoint). The validation figures are None where no examples are held out.
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
        """A sort key for epochs: higher accuracy is better, then lower cost, on the validation examples if any."""
        if self.validation_accuracy is None or self.validation_cost is None:
            return self.train_accuracy, -self.train_cost
        return self.validation_accuracy, -self.validation_cost


@dataclass(frozen=True)
class GradientNorms:
    """‖∂C/∂w^(l)‖ and ‖∂C/∂b^(l)‖ of each layer l = 1..L after an epoch; epoch 0 is the untrained network.

    They are Euclidean norms of the gradient averaged over the examples, without the L2 term. They are infinite or NaN
    where the gradient is.
    """

    epoch: int
    dC_dw: dict[int, float]
    dC_db: dict[int, float]


Optimizer = SGD  # with a second optimizer: SGD | Adam


def optimizer_for(settings: TrainingConfig) -> Optimizer:
    """The optimizer that the settings ask for."""
    return SGD(settings.momentum, settings.l2)


@dataclass
class TrainingState:
    """Everything that training changes. Together with the configuration and the data it determines every later step."""

    network: Network
    velocity: Array  # v of the momentum, as long as the parameters; empty without momentum
    epoch: int = 0  # epochs completed
    step: int = 0  # steps taken in the current epoch
    seconds: float = 0.0  # spent on the current epoch's steps
    best: EpochResult | None = None

    def is_finished(self, settings: TrainingConfig) -> bool:
        """Whether the last epoch is done, or early stopping has run out of patience."""
        patience = settings.early_stopping
        stale = patience is not None and self.best is not None and self.epoch - self.best.epoch >= patience
        return self.epoch >= settings.epochs or stale

    def require_fit(self, config: Config) -> None:
        """Raise ValueError unless this is a state of the configuration: its network, dtype and velocity."""
        network, wanted = self.network, config.network
        found = (network.sizes, str(network.parameters.dtype), *(network.activation[l].name for l in (1, network.L)))
        hidden = wanted.activation if len(wanted.sizes) > 2 else wanted.output
        needed = (tuple(wanted.sizes), config.dtype, hidden, wanted.output)
        if found != needed:
            raise ValueError(f"the state's network is {found}, but its configuration describes {needed}")
        size = optimizer_for(config.training).velocity_size(network.parameters.size)
        if self.velocity.shape != (size,) or self.velocity.dtype != network.parameters.dtype:
            raise ValueError(
                f"the state's velocity is {self.velocity.dtype} of shape {self.velocity.shape}, "
                f"but its configuration needs {config.dtype} of shape ({size},)"
            )


def empty_network(config: Config) -> Network:
    """The network of a configuration, with zeros as parameters."""
    return Network(
        config.network.sizes,
        activation=config.network.activation,
        output=config.network.output,
        dtype=config.dtype,
    )


@np.errstate(over="ignore")  # a value too large for the dtype becomes infinite, which training reports
def initialized_network(config: Config) -> Network:
    """The untrained network of a configuration, initialized from its seed."""
    network = empty_network(config)
    init = config.network.init
    if isinstance(init, InitialValues):
        for l in network.layers:
            network.w[l] = init.w[l]
            network.b[l][:, 0] = init.b[l]
    else:
        initialize(network, init, stream(config.seed, "initialization"))
    return network


def initial_state(config: Config) -> TrainingState:
    """The state in which training starts."""
    network = initialized_network(config)
    return TrainingState(network, optimizer_for(config.training).new_velocity(network))
