"""Checkpoints: one safetensors file that holds the parameters, the configuration and what resuming needs.

Tensors are named w1, b1, …, wL, bL in the layout of torch.nn.Linear (weight (out, in), bias (out,)), and
`velocity` where there is momentum. Metadata are JSON strings. A SHA-256 over both is verified on load.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from data_scripts.files import write_atomically

from .config import Config
from .errors import CheckpointError
from .network import Network
from .training import EpochResult, TrainingState, build_network

FORMAT = "nn-checkpoint-1"


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
    """w1, b1, …, wL, bL as torch.nn.Linear shapes them; for the parameters and for a gradient."""
    named = {}
    for l in w:
        named[f"w{l}"], named[f"b{l}"] = w[l], b[l][:, 0]
    return named


def save_checkpoint(path: Path, config: Config, state: TrainingState) -> None:
    """Write the file whole or not at all. Raises OSError."""
    tensors = named_tensors(state.network.w, state.network.b)
    if state.velocity.size:
        tensors["velocity"] = state.velocity
    progress = {"epoch": state.epoch, "step": state.step, "seconds": state.seconds}
    metadata = {
        "format": FORMAT,
        "config": config.model_dump_json(),
        "state": json.dumps({**progress, "best": asdict(state.best) if state.best else None}),
    }
    write_atomically(path, save(tensors, metadata | {"digest": _digest(tensors, metadata)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint back, to the same bits. Raises CheckpointError where it is not one, or not intact."""
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: is not a checkpoint, or is truncated: {error}") from None
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: is a safetensors file, but not a checkpoint of nn (format {FORMAT})")
    if metadata.pop("digest", None) != _digest(tensors, metadata):
        raise CheckpointError(f"{path}: is damaged: its digest does not match its content; use another checkpoint")
    try:
        config = Config.model_validate_json(metadata["config"])
        return Checkpoint(config, _state(config, tensors, json.loads(metadata["state"])))
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: does not hold the network it describes: {reason}") from None


def _state(config: Config, tensors: dict[str, Any], saved: dict[str, Any]) -> TrainingState:
    network = build_network(config)
    for name, view in named_tensors(network.w, network.b).items():
        tensor = tensors[name]
        if tensor.shape != view.shape or tensor.dtype != view.dtype:
            raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, not {view.dtype} {view.shape}")
        view[:] = tensor
    best = saved.pop("best")
    velocity = tensors.get("velocity", network.parameters[:0].copy())
    if velocity.size != (network.parameters.size if config.training.momentum else 0):
        raise ValueError(f"velocity has {velocity.size} entries")
    return TrainingState(network, velocity, best=EpochResult(**best) if best else None, **saved)


def _digest(tensors: dict[str, Any], metadata: dict[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(tensor.data)
    return digest.hexdigest()
