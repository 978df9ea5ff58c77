"""What `mnist_nn` raises. Each message is one line: the value, the place, the reason, the way out."""


class NNError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigError(NNError):
    """A configuration that cannot be used, or that does not fit its data."""


class CheckpointError(NNError):
    """A file that is not a checkpoint, or not an intact one."""


class RunError(NNError):
    """A run directory that cannot be made, found or read."""


class DivergenceError(NNError):
    """Training produced NaN or infinity."""


class GradientCheckError(NNError):
    """Backpropagation and central differences disagree."""


class InspectionError(NNError):
    """There is nothing finite to take apart."""
