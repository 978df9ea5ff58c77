"""An exported graph, run by onnxruntime and compared with nn's own answers, before it is written."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..data_directory import data_directory
from ..text import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnist_nn import Config
    from mnist_nn.runs.checkpoint import Checkpoint

MOST = 10_000  # examples to compare on
WORK = 2_000_000_000  # parameters times examples: about a second
LARGEST_FILE = 64 << 20  # bytes; larger files of images are not read for a comparison
ROOM = 100  # times what rounding has been seen to change; a wrong graph is off by far more


@dataclass(frozen=True)
class Comparison:
    """How many of the examples have the same answers, and the largest |Δa| of an output. `kind` is that of examples."""

    examples: int
    kind: str
    same: int
    largest: float

    @property
    def same_of_all(self) -> str:
        """The number of examples with the same answers, such as "1,000 drawn digits" or "999 of 1,000 drawn digits"."""
        examples = counted(self.examples, self.kind)
        return examples if self.same == self.examples else f"{self.same:,} of {examples}"


def compare(checkpoint: "Checkpoint", content: bytes, place: str) -> Comparison | None:
    """Compare the outputs of a graph with nn's own. Returns None without onnxruntime. `place` begins an error.

    Raises ClickException if onnxruntime cannot run the graph, or if its outputs are too far from nn's.
    """
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError:
        return None
    import numpy as np

    from mnist_nn.examples.dataset import classify

    examples, kind = _examples(checkpoint.config)
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        (entry,) = session.get_inputs()
        (found,) = session.run(None, {entry.name: examples})
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime has its own, without a common base class
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise click.ClickException(
            f"{place}: was not written, because onnxruntime {onnxruntime.__version__} cannot run the graph: {first}; "
            "try another version of onnxruntime, or remove it"
        ) from None
    expected = _outputs(checkpoint, examples, checkpoint.config.dtype)
    with np.errstate(invalid="ignore"):
        differences = np.where(found == expected, 0, np.abs(found - expected))
    largest = float(differences.max())  # NaN if an output is
    bound = _most_by_rounding(checkpoint, examples)
    if not largest <= bound:
        raise click.ClickException(
            f"{place}: was not written, because onnxruntime's outputs are {largest:.1e} from those of nn, and at most "
            f"{bound:.1e} is rounding; name a .safetensors or .npz file, and report this"
        )
    same = int((classify(found.T) == classify(expected.T)).sum())
    return Comparison(len(examples), kind, same, largest)


def _most_by_rounding(checkpoint: "Checkpoint", examples: "NDArray[Any]") -> float:
    """Return how far apart two ways to compute the outputs may be, if both only round.

    A float32 pass differs from a float64 pass by rounding alone. Deep or steep networks make that larger.
    """
    import numpy as np

    exact, rounded = (_outputs(checkpoint, examples, dtype) for dtype in ("float64", "float32"))
    epsilon = float(np.finfo(np.float32).eps)
    grown = max(float(np.abs(rounded - exact).max()) / epsilon, float(np.abs(exact).max()), 1.0)
    return ROOM * grown * float(np.finfo(checkpoint.config.dtype).eps)


def _outputs(checkpoint: "Checkpoint", examples: "NDArray[Any]", dtype: str) -> "NDArray[Any]":
    """Return nn's own outputs (N, n_L) for images of uint8, or for rows of numbers, computed in this precision."""
    import numpy as np

    from mnist_nn import Examples, deslant, forward
    from mnist_nn.examples.dataset import columns

    network = checkpoint.network.astype(dtype)
    if checkpoint.config.data.deslant:
        examples = deslant(examples)
    rows = Examples(examples.reshape(len(examples), -1), np.zeros((len(examples), network.sizes[-1]), np.uint8))
    x, _ = columns(rows, network.parameters.dtype)
    return forward(network, x).a[network.L].T


def _examples(config: "Config") -> "tuple[NDArray[Any], str]":
    """Return examples as the graph takes them, and what they are. The test set stays closed."""
    from math import isqrt

    import numpy as np

    from mnist_nn.chapter.network import number_of_parameters

    n_0 = config.network.sizes[0]
    most = max(10, min(MOST, WORK // number_of_parameters(config.network.sizes)))
    if config.data.source == "inline":
        return np.array(config.data.inputs, config.dtype)[:most], "example"
    side = isqrt(n_0)
    shape = (side, side) if side**2 == n_0 else (n_0,)
    known = _images_at_hand(config)
    if known is not None:
        images, kind = known
        if len(images) and images[0].size == n_0:
            return np.ascontiguousarray(images[-most:]).reshape(-1, *shape), kind
    random = np.random.default_rng(0)
    return random.integers(0, 256, (min(most, 1000), *shape), np.uint8), "random image"


def _images_at_hand(config: "Config") -> "tuple[NDArray[np.uint8], str] | None":
    """Return images that need no download: of the validation split, or drawn ones. None if there are none."""
    from data_scripts.errors import DataError

    from ..loading import LOADERS

    directory = data_directory(config.data.dir)
    try:
        if config.data.source == "synthetic":
            from data_scripts.synthetic import draw_digits

            return draw_digits(1000, 0, "train")[0], "drawn digit"
        if any(file.stat().st_size > LARGEST_FILE for file in directory.iterdir()):
            return None
        if config.data.source == "mnist":
            from data_scripts.mnist import missing_files

            if missing_files(directory):
                return None
        images, _ = LOADERS[config.data.source](directory, "train")
    except (OSError, DataError):
        return None
    held_out = config.data.validation
    return (images[-held_out:], "validation image") if held_out else (images, "training image")
