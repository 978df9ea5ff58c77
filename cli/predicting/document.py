"""What was read, as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .reader import Reading, ReadPicture


def as_document(run: Path, pictures: Sequence[ReadPicture], failures: Mapping[Path, str]) -> dict[str, Any]:
    """Return the JSON document of `nn predict --json`: pictures that were read, and files that could not be."""
    return {
        "checkpoint": str(run),
        "pictures": [
            {
                "file": str(read.picture.path),
                "width": read.picture.size[0],
                "height": read.picture.size[1],
                "digits": [_digit(reading) for reading in read.readings],
            }
            for read in pictures
        ],
        "failures": [{"file": str(path), "reason": reason} for path, reason in failures.items()],
    }


def _digit(reading: Reading) -> dict[str, Any]:
    box = reading.box
    return {
        "answer": reading.answer,
        "runner_up": reading.runner_up,
        "doubt": reading.doubt,
        "outputs": [float(output) for output in reading.outputs],
        "row": reading.row,
        "box": None if box is None else [box.left, box.top, box.right, box.bottom],
        "seen": reading.image.tolist(),
    }
