"""The fuzz targets: each takes bytes, gives them to a reader as a file, and allows only the project's own errors.

A target returns whether the input was read or refused. This shows that not everything is refused at once.
"""

import gzip
import json
import math
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import numpy as np
from safetensors.numpy import save

from data_scripts import synthetic
from data_scripts.errors import DataError
from data_scripts.idx import read_idx
from mnist_nn import Config, initial_state, load_checkpoint, save_checkpoint
from mnist_nn.configuration.reader import parse_config, read_config
from mnist_nn.configuration.writer import to_yaml
from mnist_nn.errors import CheckpointError, ConfigError, RunError
from mnist_nn.runs.checkpoint import FORMAT, _digest, named_tensors
from mnist_nn.runs.description import RunDescription
from mnist_nn.runs.run_directory import RunDirectory, numbers

Verdict = Literal["read", "refused"]
LONGEST = 2000  # characters of a message, without the file's name

CONFIG = Config.model_validate({"network": {"sizes": [3, 2, 2]}, "training": {"momentum": 0.5}})
STATE = initial_state(CONFIG)
TENSORS = {**named_tensors(STATE.network.w, STATE.network.b), "velocity": STATE.velocity}
PROGRESS = '{"epoch":2,"step":1,"seconds":0.5,"best":{"epoch":2,"step":40,"learning_rate":0.1,"train_cost":0.25,"train_accuracy":0.5,"validation_cost":null,"validation_accuracy":0.75}}'


def one_line(error: Exception, path: Path) -> Verdict:
    """Check that the message is one line that fits on a screen. A long or empty message is a finding."""
    message = str(error).replace(str(path), "FILE")
    assert 0 < len(message) < LONGEST, message
    assert "\n" not in message, message
    return "refused"


def fuzz_idx(content: bytes, directory: Path) -> Verdict:
    """The first byte chooses labels or images, and plain or compressed.

    A compressed input is compressed here, or taken as it is.
    """
    choice, content = content[:1], content[1:]
    bits = choice[0] if choice else 0
    dimensions = 3 if bits & 1 else 1
    path = directory / ("x.gz" if bits & 6 else "x")
    path.write_bytes(gzip.compress(content, 0, mtime=0) if bits & 6 == 2 else content)
    try:
        array = read_idx(path, dimensions)
    except DataError as error:
        return one_line(error, path)
    assert (array.dtype, array.ndim) == (np.uint8, dimensions)
    if not bits & 4:  # the content is then the file: the array must hold exactly its data
        assert array.tobytes() == content[4 + 4 * dimensions :]
    return "read"


def fuzz_config(content: bytes, directory: Path) -> Verdict:
    """A file, or the text of an override if the first byte is odd."""
    path = directory / "x.yaml"
    try:
        if content[:1] and content[0] & 1:
            config = parse_config(
                "network: {sizes: [4, 5]}", "x.yaml", [content[1:].decode("utf-8", "surrogateescape")]
            )
        else:
            path.write_bytes(content[1:])
            config = read_config(path)
    except ConfigError as error:
        return one_line(error, path)
    assert math.isfinite(config.training.learning_rate)
    if config.data.dir is None or config.data.dir.isprintable():  # otherwise the commands refuse it
        assert parse_config(to_yaml(config), "again") == config
    return "read"


def fuzz_checkpoint(content: bytes, directory: Path) -> Verdict:
    """A file, or the configuration or progress of a checkpoint with a correct digest.

    The first byte chooses between the three.
    """
    path = directory / "x.safetensors"
    choice, content = content[0] % 3 if content else 0, content[1:]
    if choice == 0:
        path.write_bytes(content)
    else:
        text = content.decode("utf-8", "replace")
        path.write_bytes(crafted(config=text) if choice == 1 else crafted(state=text))
    try:
        loaded = load_checkpoint(path)
    except CheckpointError as error:
        return one_line(error, path)
    state = loaded.state
    assert loaded.network.sizes == tuple(loaded.config.network.sizes)
    assert state.velocity.shape in ((0,), loaded.network.parameters.shape)
    assert type(state.epoch) is type(state.step) is int
    assert state.epoch >= 0 <= state.step
    assert math.isfinite(state.seconds)
    return "read"


def crafted(
    config: str | None = None, state: str = PROGRESS, tensors: dict[str, np.ndarray] | None = None, **metadata: str
) -> bytes:
    """A checkpoint with any content and its correct digest. Accidental damage cannot produce it."""
    tensors = TENSORS if tensors is None else tensors
    metadata = {"format": FORMAT, "config": config or CONFIG.model_dump_json(), "state": state} | metadata
    return save(tensors, metadata | {"digest": _digest(tensors, metadata)})


def fuzz_run(content: bytes, directory: Path) -> Verdict:
    """A file of a run directory: the first byte chooses run.json, metrics.csv or gradients.csv."""
    run = RunDirectory(directory)
    choice, content = content[0] % 3 if content else 0, content[1:]
    path = (run.description_file, run.metrics_table.file, run.gradients_table(CONFIG).file)[choice]
    path.write_bytes(content)
    try:
        if choice == 0:
            assert RunDescription.model_validate(run.description()).recipe.isprintable()
        elif choice == 1:
            assert all(math.isfinite(value or 0) for row in run.metrics() for value in numbers(row).values())
        else:
            assert all(set(norms.dC_dw) == {1, 2} for norms in run.gradient_norms(CONFIG))
    except RunError as error:
        return one_line(error, path)
    return "read"


def fuzz_digits(content: bytes, directory: Path) -> Verdict:
    """The cache of drawn digits: the first byte chooses which of its three files is replaced.

    The digits are always those that the program draws.
    """
    expected = draw_few(directory)
    path = cached_digits(directory)[content[0] % 3 if content else 0]
    before = path.read_bytes()
    path.write_bytes(content[1:])
    assert (draw_few(directory) == expected).all()
    return "read" if content[1:] == before else "refused"


def draw_few(directory: Path) -> np.ndarray:
    """Ten digits, read from their cache or drawn again."""
    with patch.dict(synthetic.COUNTS, test=10):
        return synthetic.load_synthetic("test", directory / "digits")[0]


def cached_digits(directory: Path) -> list[Path]:
    return sorted(file for file in (directory / "digits").rglob("*") if file.is_file())


def recipe(name: str) -> str:
    return (files("nn_configs") / name).read_text(encoding="utf-8")


TARGETS: dict[str, Callable[[bytes, Path], Verdict]] = {
    "idx": fuzz_idx,
    "config": fuzz_config,
    "checkpoint": fuzz_checkpoint,
    "run": fuzz_run,
    "digits": fuzz_digits,
}


def seeds(target: str, directory: Path) -> list[bytes]:
    """Valid inputs of a target, as starting points."""
    if target == "idx":
        images = b"\0\0\x08\x03" + bytes([0, 0, 0, 2] * 3) + bytes(8)
        labels = b"\0\0\x08\x01" + bytes([0, 0, 0, 5]) + bytes(5)
        pairs = [(0, labels), (1, images), (2, labels), (3, images)]
        return [bytes([c]) + x for c, x in pairs] + [
            bytes([c | 4]) + gzip.compress(x, 0, mtime=0) for c, x in pairs[:2]
        ]
    if target == "config":
        texts = [recipe(file.name) for file in files("nn_configs").iterdir() if file.name.endswith(".yaml")]
        texts += ["{seed: 1}", "training:\n  schedule: {name: step, every: 3}\n", "seed: 0x1f # \\x41\n"]
        overrides = ["training.epochs=5", "network.sizes=[784, 5, 10]", "network.sizes.1=7", "network.sizes=4-30-5"]
        return [b"\0" + text.encode() for text in texts] + [b"\1" + text.encode() for text in overrides]
    if target == "run":
        description = '{"recipe": "x", "status": "finished", "number": 3, "versions": {"numpy": "2"}, "data": {"n": 1}}'
        metrics = ",".join(RunDirectory(directory).metrics_table.columns) + "\n1,9,0.5,0.25,0.5,,,0.100\n2,18,0.5,"
        gradients = "epoch,layer,dC_dw_norm,dC_db_norm\n0,1,0.5,0.25\n0,2,inf,nan\n1,1,0.5"
        return [bytes([i]) + text.encode() for i, text in enumerate((description, metrics, gradients))]
    if target == "digits":
        draw_few(directory)
        return [bytes([i]) + file.read_bytes() for i, file in enumerate(cached_digits(directory))]
    save_checkpoint(directory / "seed", CONFIG, STATE)
    written = (directory / "seed").read_bytes()
    (directory / "seed").unlink()
    end = 8 + int.from_bytes(written[:8], "little")  # metadata are in any order: sort them
    header = json.dumps(json.loads(written[8:end]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)
    whole = len(header).to_bytes(8, "little") + header + written[end:]
    again = json.dumps(json.loads(CONFIG.model_dump_json()), indent=1)
    return [b"\0" + whole, b"\1" + CONFIG.model_dump_json().encode(), b"\1" + again.encode(), b"\2" + PROGRESS.encode()]
