"""The exceptions of `mnist_nn`. Each message is one line: the place, the value, the reason, and what to do."""


class NNError(Exception):
    """The base class of every error that this package raises on purpose."""


class ConfigError(NNError):
    """A configuration is invalid, or does not fit its data."""


class CheckpointError(NNError):
    """A file is not a checkpoint, or is a damaged checkpoint."""


class RunError(NNError):
    """A run directory cannot be made, found or read."""


class DivergenceError(NNError):
    """Training produced NaN or infinity."""


class GradientCheckError(NNError):
    """Backpropagation and central differences disagree."""


class InspectionError(NNError):
    """The cost or its gradient is infinite or NaN, so there is nothing to explain."""
