"""The kinds of files that a network is exported as, by the ending of the name: .onnx, .safetensors, .npz."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..output_files import refuse_directory, refuse_other_file
from .programs import numpy_program, onnx_program, torch_program

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.runs.checkpoint import Checkpoint

Facts = dict[str, str]
Check = tuple[str, str]  # a line about how the file was checked: its name and its text

PLACE = "FILE"


@dataclass(frozen=True)
class Format:
    """A kind of file.

    `build` makes its content, and says how that was checked. It gets the file's name for errors. A file that this
    command wrote has `mark` in its first `within` bytes. `program` gives the Python program that uses the file.
    """

    build: "Callable[[Checkpoint, Facts, Path], tuple[bytes, list[Check]]]"
    program: "Callable[[Config, Path], str]"
    mark: bytes
    within: int = 1000


def find_format(file: Path) -> Format:
    """Return the format by the ending of the name.

    Raises UsageError for another ending, a directory, or a file that this command did not write.
    """
    refuse_directory(PLACE, file)
    found = FORMATS.get(file.suffix.lower())
    if found is None:
        *others, last = FORMATS
        raise click.UsageError(f"{PLACE} {file}: must end in {', '.join(others)} or {last}, which says what is written")
    refuse_other_file(PLACE, file, found.mark, found.within)
    return found


def _build_onnx(checkpoint: "Checkpoint", facts: Facts, file: Path) -> tuple[bytes, list[Check]]:
    try:
        from mnist_nn.exporting.onnx_graph import IR, OPSET, fits, to_onnx
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise click.ClickException(
            f"{PLACE} {file}: needs the package onnx: pip install 'mnist-nn[onnx]', or name a .safetensors or .npz file"
        ) from None
    from .comparison import compare

    if not fits(checkpoint.network):
        size = checkpoint.network.parameters.nbytes / 1e9
        raise click.ClickException(
            f"{PLACE} {file}: would hold {size:.1f} GB of parameters, and an .onnx file holds at most 2 GB; "
            "name a .safetensors or .npz file"
        )
    content = to_onnx(checkpoint, facts)
    comparison = compare(checkpoint, content, f"{PLACE} {file}")
    checks = [("checked", f"onnx.checker: opset {OPSET}, IR {IR}")]
    if comparison is None:
        return content, [*checks, ("not run", "pip install onnxruntime, then export again: the outputs are compared")]
    answers = f"same answers on {comparison.same_of_all}"
    largest = f"largest |Δa| between its outputs and nn's: {comparison.largest:.1e}"
    return content, [*checks, ("checked", f"onnxruntime: {answers}"), ("", largest)]


def _build_safetensors(checkpoint: "Checkpoint", facts: Facts, file: Path) -> tuple[bytes, list[Check]]:
    from safetensors.numpy import load

    from mnist_nn.exporting.arrays import to_safetensors

    content = to_safetensors(checkpoint.network, facts)
    return content, [_same_bits(checkpoint, [array.tobytes() for array in load(content).values()])]


def _build_npz(checkpoint: "Checkpoint", facts: Facts, file: Path) -> tuple[bytes, list[Check]]:
    import numpy as np

    from mnist_nn.exporting.arrays import to_npz

    content = to_npz(checkpoint.network, facts)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        read = [arrays[name].tobytes() for name in arrays.files if name not in facts]
    return content, [_same_bits(checkpoint, read)]


def _same_bits(checkpoint: "Checkpoint", read: list[bytes]) -> Check:
    """Return what to say of arrays that were read back, in any order. A mistake of ours shows its traceback."""
    from mnist_nn.runs.checkpoint import named_tensors

    network = checkpoint.network
    written = [array.tobytes() for array in named_tensors(network.w, network.b).values()]
    if sorted(read) != sorted(written):
        raise AssertionError("the file does not hold the network's parameters")
    return "checked", "read back, the same bits"


FORMATS = {
    ".onnx": Format(_build_onnx, onnx_program, b"\x12\x09nn export"),
    ".safetensors": Format(_build_safetensors, torch_program, b'"written_by":"nn export"', within=1 << 20),
    ".npz": Format(_build_npz, numpy_program, "nn export".encode("utf-32-le")),
}
