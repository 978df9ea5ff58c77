"""A multi-layer perceptron and its training, with the mathematics of "Backpropagation calculus" (3Blue1Brown).

The names below are the public API; the command line uses the same ones.
"""

from .backprop import backprop
from .checkpoint import fingerprint, load_checkpoint, save_checkpoint
from .config import Config
from .config_file import read_config
from .cost import COSTS
from .dataset import Examples
from .deslanting import deslant
from .errors import NNError
from .evaluation import evaluate
from .gradient_check import check_gradient
from .network import Network, forward
from .sgd import SGD
from .training import initial_state, train

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
    "fingerprint",
    "forward",
    "initial_state",
    "load_checkpoint",
    "read_config",
    "save_checkpoint",
    "train",
]
