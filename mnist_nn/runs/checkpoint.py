"""Checkpoints: one safetensors file with the parameters, the configuration and the state of training.

Tensors are named w1, b1, …, wL, bL and have the layout of torch.nn.Linear: weight (out, in), bias (out,). With
momentum there is also a tensor `velocity`. The metadata are JSON strings. A SHA-256 over tensors and metadata is
verified on load.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from data_scripts.files import require_regular, write_atomically

from ..chapter.network import Network, number_of_parameters
from ..configuration.messages import escape, quote, shorten
from ..configuration.schema import Config, Finite, Section
from ..errors import CheckpointError
from ..training.state import EpochResult, TrainingState, empty_network, optimizer_for

FORMAT = "nn-checkpoint-1"
MAX_HEADER = 1 << 20  # bytes; names, shapes and metadata of 1,000 layers take a quarter of it


class SavedBest(Section):
    """The stored form of an EpochResult. It has no `seconds`, so that a resumed run saves the same bytes."""

    epoch: int = Field(ge=1, le=1_000_000)
    step: int = Field(ge=1, lt=2**63)
    learning_rate: Finite = Field(ge=0)
    train_cost: Finite
    train_accuracy: Finite = Field(ge=0, le=1)
    validation_cost: Finite | None
    validation_accuracy: Finite | None = Field(ge=0, le=1)


class SavedProgress(Section):
    """The stored form of a TrainingState without its arrays."""

    epoch: int = Field(ge=0, le=1_000_000)
    step: int = Field(ge=0, lt=2**31)
    seconds: Finite = Field(ge=0)
    best: SavedBest | None

    @model_validator(mode="after")
    def _best_is_behind(self) -> "SavedProgress":
        if self.best and self.best.epoch > self.epoch:
            raise ValueError(f"the best epoch, {self.best.epoch}, is later than the last epoch, {self.epoch}")
        if self.best and self.step * self.best.epoch >= self.best.step:
            raise ValueError(f"step {self.step} is beyond the {self.best.step // self.best.epoch} steps of an epoch")
        return self


@dataclass(frozen=True)
class Checkpoint:
    """A training state with the configuration it belongs to."""

    config: Config
    state: TrainingState

    @property
    def network(self) -> Network:
        return self.state.network


def fingerprint(network: Network) -> str:
    """SHA-256 of the parameter vector, as hexadecimal digits."""
    return hashlib.sha256(network.parameters.tobytes()).hexdigest()


def named_tensors(w: dict[int, Any], b: dict[int, Any]) -> dict[str, Any]:
    """The parameters, or a gradient, as named arrays w1, b1, …, wL, bL in the shapes of torch.nn.Linear."""
    named = {}
    for l in w:
        named[f"w{l}"], named[f"b{l}"] = w[l], b[l][:, 0]
    return named


def save_checkpoint(path: str | Path, config: Config, state: TrainingState) -> None:
    """Write a checkpoint file, whole or not at all.

    Raises OSError, and ValueError for a state that `load_checkpoint` would refuse.
    """
    state.require_fit(config)
    tensors = named_tensors(state.network.w, state.network.b)
    if state.velocity.size:
        tensors["velocity"] = state.velocity
    best = {key: value for key, value in asdict(state.best).items() if key != "seconds"} if state.best else None
    progress = {"epoch": state.epoch, "step": state.step, "seconds": state.seconds, "best": best}
    SavedProgress.model_validate(progress)
    metadata = {
        "format": FORMAT,
        "config": config.model_dump_json(),
        "state": json.dumps(progress),
    }
    write_atomically(Path(path), sort_header(save(tensors, metadata | {"digest": _digest(tensors, metadata)})))


def sort_header(content: bytes) -> bytes:
    """The same safetensors file with the keys of its header sorted, because the library writes them in any order."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at multiples of 8
    return len(header).to_bytes(8, "little") + header + content[end:]


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint, with the same bits as were saved.

    Raises CheckpointError where the file is not a checkpoint, or is damaged. Memory is allocated only for data that the
    file contains, not for sizes that it declares.
    """
    path = Path(path)
    try:
        require_regular(path)
        with path.open("rb") as start:
            if int.from_bytes(start.read(8), "little") > MAX_HEADER:
                raise CheckpointError(
                    f"{path}: is not a checkpoint of nn; name a run directory, or a file under its checkpoints/"
                )
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise _too_large(path) from None
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: is not a checkpoint, or is truncated: {shorten(str(error), 200)}") from None
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: is a safetensors file, but not a checkpoint of nn (format {FORMAT})")
    if metadata.pop("digest", None) != _digest(tensors, metadata):
        raise CheckpointError(f"{path}: is damaged: its digest does not match its content; use another checkpoint")
    try:
        config = Config.model_validate_json(metadata["config"])
        progress = SavedProgress.model_validate_json(metadata["state"])
        return Checkpoint(config, _state(config, tensors, progress))
    except MemoryError:
        raise _too_large(path) from None
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        place = shorten(escape(".".join(map(str, first["loc"]))))
        reason = f"{f'{place}: ' if place else ''}{quote(first['input'])}: {first['msg']}"
    except KeyError as error:
        reason = f"it has no {error.args[0]}"
    except ValueError as error:
        reason = str(error)
    raise CheckpointError(f"{path}: does not hold the network it describes: {reason}")


def _state(config: Config, tensors: dict[str, Any], progress: SavedProgress) -> TrainingState:
    """The training state of a checkpoint. Checks every shape before it allocates a network. Raises ValueError."""
    shapes = _shapes(config)
    if misfits := sorted(shapes.keys() ^ tensors.keys()):
        raise ValueError(f"{shorten(misfits[0])} is {'missing' if misfits[0] in shapes else 'an extra tensor'}")
    for name, shape in shapes.items():
        tensor = tensors[name]
        if tensor.shape != shape or tensor.dtype != config.dtype:
            raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, not {config.dtype} {shape}")
    network = empty_network(config)
    for name, view in named_tensors(network.w, network.b).items():
        view[:] = tensors[name]
    velocity = optimizer_for(config.training).new_velocity(network)
    velocity[:] = tensors.get("velocity", velocity)
    return TrainingState(
        network,
        velocity,
        epoch=progress.epoch,
        step=progress.step,
        seconds=progress.seconds,
        best=EpochResult(**progress.best.model_dump(), seconds=0.0) if progress.best else None,
    )


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the tensors in a checkpoint with this configuration."""
    sizes = config.network.sizes
    shapes: dict[str, tuple[int, ...]] = {}
    for l in range(1, len(sizes)):
        shapes[f"w{l}"], shapes[f"b{l}"] = (sizes[l], sizes[l - 1]), (sizes[l],)
    if size := optimizer_for(config.training).velocity_size(number_of_parameters(sizes)):
        shapes["velocity"] = (size,)
    return shapes


def _too_large(path: Path) -> CheckpointError:
    return CheckpointError(f"{path}: does not fit into the memory that is free; close other programs")


def _digest(tensors: dict[str, Any], metadata: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()
