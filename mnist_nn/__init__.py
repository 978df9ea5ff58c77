"""A multi-layer perceptron and its training, with the mathematics of "Backpropagation calculus" (3Blue1Brown).

The names below are the public API. The command line uses the same names.
"""

from .chapter.backprop import backprop
from .chapter.cost import COSTS
from .chapter.network import Network, forward
from .chapter.sgd import SGD
from .configuration.reader import read_config
from .configuration.schema import Config
from .errors import NNError
from .examples.dataset import Examples
from .examples.deslanting import deslant
from .examples.preparation import hold_out, prepare_examples
from .explaining.gradient_check import check_gradient
from .page.explain import explain
from .runs.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from .training.evaluation import evaluate
from .training.loop import train
from .training.state import initial_state

__all__ = [
    "COSTS",
    "SGD",
    "Config",
    "Examples",
    "NNError",
    "Network",
    "backprop",
    "check_gradient",
    "deslant",
    "evaluate",
    "explain",
    "fingerprint",
    "forward",
    "hold_out",
    "initial_state",
    "load_checkpoint",
    "prepare_examples",
    "read_config",
    "save_checkpoint",
    "train",
]
