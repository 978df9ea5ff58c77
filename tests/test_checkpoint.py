"""A checkpoint comes back to the same bits, or is refused in one line."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from mnist_nn import Config, fingerprint, initial_state, load_checkpoint, save_checkpoint
from mnist_nn.errors import CheckpointError
from mnist_nn.training import EpochResult

PARAMETERS = np.random.default_rng(1).normal(size=6 * 4 + 4 + 4 * 3 + 3).astype(np.float32)
BEST = EpochResult(2, 40, 0.1, 0.25, 0.5, 1 / 3, 0.75, 1.5)


def saved(path: Path, **training: object) -> Path:
    config = Config.model_validate({"network": {"sizes": [6, 4, 3]}, "training": training})
    state = initial_state(config)
    state.network.parameters[:] = PARAMETERS  # not what the seed would give
    state.epoch, state.step, state.seconds, state.best = 2, 7, 0.1, BEST
    state.velocity += 0.5
    save_checkpoint(path, config, state)
    return path


@pytest.mark.parametrize("training", [{}, {"momentum": 0.9}])
def test_everything_that_decides_later_steps_comes_back_to_the_bit(training: dict[str, object], tmp_path: Path) -> None:
    path = saved(tmp_path / "x.safetensors", **training)
    loaded = load_checkpoint(path)
    config = Config.model_validate({"network": {"sizes": [6, 4, 3]}, "training": training})
    assert loaded.config == config
    assert loaded.network.parameters.tobytes() == PARAMETERS.tobytes()
    state = loaded.state
    assert (state.epoch, state.step, state.seconds, state.best) == (2, 7, 0.1, BEST)
    assert state.velocity.size == (state.network.parameters.size if training else 0)
    assert (state.velocity == 0.5).all()


def test_tensors_have_the_names_and_shapes_of_torch_nn_linear(tmp_path: Path) -> None:
    tensors = load_file(saved(tmp_path / "x.safetensors"))
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "w1": (4, 6),
        "b1": (4,),
        "w2": (3, 4),
        "b2": (3,),
    }


def test_metadata_are_json(tmp_path: Path) -> None:
    with safe_open(saved(tmp_path / "x.safetensors"), framework="np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["config"])["network"]["sizes"] == [6, 4, 3]
    assert json.loads(metadata["state"])["epoch"] == 2


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.safetensors")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(path)


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path, random: np.random.Generator) -> None:
    path = saved(tmp_path / "x.safetensors", momentum=0.5)
    whole = bytearray(path.read_bytes())
    original = load_checkpoint(path)
    for bit in random.choice(8 * len(whole), 1500, replace=False):
        whole[bit // 8] ^= 1 << bit % 8
        path.write_bytes(whole)
        with contextlib.suppress(CheckpointError):  # a flip may leave the meaning as it was, but must not change it
            loaded = load_checkpoint(path)
            assert fingerprint(loaded.network) == fingerprint(original.network)
            assert loaded.config == original.config
            assert loaded.state.velocity.tobytes() == original.state.velocity.tobytes()
        whole[bit // 8] ^= 1 << bit % 8


def test_what_is_no_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    for name, content, expected in (
        ("text", b"hello", "is not a checkpoint, or is truncated"),
        ("empty", b"", "is not a checkpoint, or is truncated"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=f"{name}: {expected}"):
            load_checkpoint(tmp_path / name)
    save_file({"w1": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="is a safetensors file, but not a checkpoint of nn"):
        load_checkpoint(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="there is no such checkpoint"):
        load_checkpoint(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(tmp_path)


def test_tensors_of_another_network_than_the_configuration_describes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.model_validate({"network": {"sizes": [6, 4, 3]}})
    other = Config.model_validate({"network": {"sizes": [6, 5, 3]}})
    save_checkpoint(tmp_path / "x", config, initial_state(other))
    with pytest.raises(CheckpointError, match=r"does not hold the network it describes: w1 is float32 \(5, 6\)"):
        load_checkpoint(tmp_path / "x")


def test_a_failed_save_leaves_the_old_checkpoint_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "x.safetensors")
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        saved(path, momentum=0.5)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
