"""A network that reads pictures: what it sees of each digit, what it answers, and how sure that is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .files import Picture, read_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnist_nn.pictures.pieces import Box
    from mnist_nn.runs.checkpoint import Checkpoint

LOW = 0.5  # an answer whose output is lower is doubtful
NEAR = 0.5  # and so is one whose runner-up has more than this share of its output


@dataclass(frozen=True)
class Reading:
    """One digit: the image (28, 28) that the network saw, its outputs, and where the digit stands on the picture.

    `box` is in pixels of the picture as it was read, None for a picture that was taken as it is.
    """

    row: int
    box: "Box | None"
    image: "NDArray[np.uint8]"
    outputs: "NDArray[np.floating]"

    @property
    def order(self) -> list[int]:
        """The classes, the most active output first."""
        return [int(j) for j in (-self.outputs).argsort(kind="stable")]

    @property
    def answer(self) -> int:
        return self.order[0]

    @property
    def runner_up(self) -> int:
        return self.order[1]

    @property
    def doubt(self) -> Literal["low", "near"] | None:
        """Why the answer is doubtful: all outputs are low, or two are near each other."""
        best, second = self.outputs[self.answer], self.outputs[self.runner_up]
        if best < LOW:
            return "low"
        return "near" if second > NEAR * best else None


@dataclass(frozen=True)
class ReadPicture:
    """A picture and its digits, in reading order."""

    picture: Picture
    readings: list[Reading]


class Reader:
    """Reads pictures with one network. Raises RunError for a network that does not read digits of 28 × 28 pixels."""

    def __init__(self, path: Path, checkpoint: "Checkpoint") -> None:
        from mnist_nn.errors import RunError

        sizes = checkpoint.network.sizes
        if sizes[0] != 28 * 28 or sizes[-1] != 10 or checkpoint.config.data.source == "inline":
            named = "-".join(map(str, sizes))
            raise RunError(f"{path}: is a network {named}, but pictures of digits need 784 inputs and 10 outputs")
        self.checkpoint = checkpoint

    def read(self, path: Path) -> ReadPicture:
        """Read the digits of a picture file. Raises PictureError."""
        picture = read_picture(path)
        found = [(0, None, _as_mnist(picture.grey))] if picture.is_mnist_sized else _found(picture)
        if not found:
            return ReadPicture(picture, [])
        rows, boxes, images = zip(*found, strict=True)
        seen, outputs = self.answer(list(images))
        return ReadPicture(picture, [Reading(*each) for each in zip(rows, boxes, seen, outputs, strict=True)])

    def answer(self, images: "list[NDArray[np.uint8]]") -> "tuple[NDArray[np.uint8], NDArray[np.floating]]":
        """Return what the network sees of images (28, 28), which may be deslanted, and its outputs (N, 10)."""
        import numpy as np

        from mnist_nn import Examples, deslant, forward
        from mnist_nn.examples.dataset import columns

        network = self.checkpoint.network
        seen = np.stack(images)
        if self.checkpoint.config.data.deslant:
            seen = deslant(seen)
        examples = Examples.from_labels(seen, np.zeros(len(seen), np.uint8), network.sizes[-1])
        x, _ = columns(examples, network.parameters.dtype)
        return seen, forward(network, x).a[len(network.sizes) - 1].T.copy()


def _as_mnist(grey: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """Return a picture of 28 × 28 pixels as it is. Dark ink on bright paper is inverted; the border shows the paper."""
    import numpy as np

    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return 255 - grey if np.median(border) > 127 else grey


def _found(picture: Picture) -> "list[tuple[int, Box, NDArray[np.uint8]]]":
    """Return the row, the box and the image of each digit on a picture."""
    from data_scripts.mnist_recipe import mnist_image
    from mnist_nn.pictures.digits import find_digits

    return [(digit.row, digit.box, mnist_image(digit.ink)) for digit in find_digits(picture.grey).digits]
