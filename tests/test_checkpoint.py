"""A checkpoint is restored exactly, or refused in one line."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from fuzz.targets import PROGRESS, TENSORS, crafted
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from mnist_nn import Config, initial_state, load_checkpoint, save_checkpoint
from mnist_nn.errors import CheckpointError
from mnist_nn.training.state import EpochResult, TrainingState

PARAMETERS = np.random.default_rng(1).normal(size=6 * 4 + 4 + 4 * 3 + 3).astype(np.float32)
BEST = EpochResult(2, 40, 0.1, 0.25, 0.5, 1 / 3, 0.75, 1.5)


def saved(path: Path, **training: object) -> Path:
    config = Config.model_validate({"network": {"sizes": [6, 4, 3]}, "training": training})
    state = initial_state(config)
    state.network.parameters[:] = PARAMETERS  # different from the seed's parameters
    state.epoch, state.step, state.seconds, state.best = 2, 7, 0.1, BEST
    state.velocity += 0.5
    save_checkpoint(path, config, state)
    return path


@pytest.mark.parametrize("training", [{}, {"momentum": 0.9}])
def test_loading_a_checkpoint_restores_the_training_state_exactly(training: dict[str, object], tmp_path: Path) -> None:
    """Everything that decides later steps comes back to the bit."""
    path = saved(tmp_path / "x.safetensors", **training)
    loaded = load_checkpoint(path)
    config = Config.model_validate({"network": {"sizes": [6, 4, 3]}, "training": training})
    assert loaded.config == config
    assert loaded.network.parameters.tobytes() == PARAMETERS.tobytes()
    state = loaded.state
    assert (state.epoch, state.step, state.seconds) == (2, 7, 0.1)
    assert state.best == replace(BEST, seconds=0.0)  # a resumed run must save the same bytes, however long it takes
    assert state.velocity.size == (state.network.parameters.size if training else 0)
    assert (state.velocity == 0.5).all()


def test_tensors_are_w1_b1_w2_b2_with_pytorchs_shapes(tmp_path: Path) -> None:
    """As in torch.nn.Linear, a weight matrix has the shape (outputs, inputs)."""
    tensors = load_file(saved(tmp_path / "x.safetensors"))
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "w1": (4, 6),
        "b1": (4,),
        "w2": (3, 4),
        "b2": (3,),
    }


def test_checkpoint_metadata_is_json(tmp_path: Path) -> None:
    with safe_open(saved(tmp_path / "x.safetensors"), framework="np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["config"])["network"]["sizes"] == [6, 4, 3]
    assert json.loads(metadata["state"])["epoch"] == 2


@pytest.mark.parametrize("training", [{}, {"momentum": 0.5}])
def test_every_truncation_is_detected(training: dict[str, object], tmp_path: Path) -> None:
    path = saved(tmp_path / "x.safetensors", **training)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            load_checkpoint(path)


def test_a_flipped_bit_anywhere_is_detected(tmp_path: Path, random: np.random.Generator) -> None:
    path = saved(tmp_path / "x.safetensors", momentum=0.5)
    whole = bytearray(path.read_bytes())
    for bit in random.choice(8 * len(whole), 5000, replace=False):
        whole[bit // 8] ^= 1 << bit % 8
        path.write_bytes(whole)
        with pytest.raises(CheckpointError) as error:
            load_checkpoint(path)
        assert "\n" not in str(error.value)
        whole[bit // 8] ^= 1 << bit % 8
    path.write_bytes(whole)
    load_checkpoint(path)


def test_files_that_are_not_checkpoints_are_refused(tmp_path: Path) -> None:
    """The message gives the file and the reason."""
    for name, content, expected in (
        ("text", b"hello", "is not a checkpoint of nn; name a run directory, or a file under its checkpoints/"),
        ("three.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "is not a checkpoint of nn; name a run directory"),
        ("empty", b"", "is not a checkpoint, or is truncated"),
        ("pickle", pickle.dumps({"w1": [1.0]}), "is not a checkpoint"),
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


def test_a_checkpoints_path_may_be_text_or_a_path(tmp_path: Path) -> None:
    loaded = load_checkpoint(str(saved(tmp_path / "x.safetensors")))
    save_checkpoint(f"{tmp_path}/y.safetensors", loaded.config, loaded.state)
    assert (tmp_path / "y.safetensors").read_bytes() == (tmp_path / "x.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="nothing: there is no such checkpoint"):
        load_checkpoint(f"{tmp_path}/nothing")


def test_tensors_must_match_the_configured_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.model_validate({"network": {"sizes": [6, 4, 3]}})
    other = Config.model_validate({"network": {"sizes": [6, 5, 3]}})
    with pytest.raises(ValueError, match="but its configuration describes"):
        save_checkpoint(tmp_path / "x", config, initial_state(other))
    monkeypatch.setattr(TrainingState, "require_fit", lambda *_: None)
    save_checkpoint(tmp_path / "x", config, initial_state(other))
    with pytest.raises(CheckpointError, match=r"does not hold the network it describes: w1 is float32 \(5, 6\)"):
        load_checkpoint(tmp_path / "x")


def test_a_failed_save_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves no temporary file behind."""
    path = saved(tmp_path / "x.safetensors")
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        saved(path, momentum=0.5)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# Bad content with a correct digest. Accidental damage cannot produce it


def progress(**changes: object) -> str:
    """The progress of a checkpoint with some values changed. `best_…` changes a value of its best epoch."""
    values = json.loads(PROGRESS)
    for key, value in changes.items():
        if key.startswith("best_"):
            values["best"][key.removeprefix("best_")] = value
        else:
            values[key] = value
    return json.dumps(values)


NAN, INF = float("nan"), float("inf")
NO_NUMBERS = [-1, NAN, INF, -INF, True, "1", [1], {}, None]
NO_COUNTS = [*NO_NUMBERS, 1.5, 2.0, 10**30]
FIELDS: dict[str, list[object]] = {
    "epoch": NO_COUNTS,
    "step": NO_COUNTS,
    "seconds": NO_NUMBERS,
    "best_epoch": [*NO_COUNTS, 0],
    "best_step": [*NO_COUNTS, 0],
    "best_learning_rate": NO_NUMBERS,
    "best_train_cost": NO_NUMBERS[1:],
    "best_train_accuracy": [*NO_NUMBERS, 1.01],
    "best_validation_cost": NO_NUMBERS[1:-1],  # None without a validation set
    "best_validation_accuracy": [*NO_NUMBERS[:-1], 1.01],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in FIELDS for value in FIELDS[field]])
def test_an_impossible_progress_field_is_refused_by_name(field: str, value: object, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(crafted(state=progress(**{field: value})))
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(tmp_path / "x")
    begins = f"{tmp_path / 'x'}: does not hold the network it describes: {field.replace('best_', 'best.')}: "
    assert str(error.value).startswith(begins)


NOT_A_STATE = {
    "no JSON": ("x", "'x': Invalid JSON"),
    "a list": ("[]", "[]: Input should be an object"),
    "nothing": ("null", "None: Input should be an object"),
    "no fields": ("{}", "epoch: {}: Field required"),
    "a deep one": ("[" * 100_000, "Invalid JSON: recursion limit exceeded"),
    "a number of 5,000 digits": ('{"epoch": ' + "9" * 5000 + "}", "Invalid JSON: number out of range"),
    "a field too many": (progress(velocity=1), "velocity: 1: Extra inputs are not permitted"),
    "a best that is a list": (progress(best=[1]), "best: [1]: Input should be an object"),
    "a best that is true": (progress(best=True), "best: True: Input should be an object"),
    "a best without fields": (progress(best={}), "best.epoch: {}: Field required"),
    "a best with a field too many": (progress(best_x=1), "best.x: 1: Extra inputs are not permitted"),
    "a best that is yet to come": (progress(best_epoch=3), "the best epoch, 3, is later than the last epoch, 2"),
    "a step beyond the epoch": (progress(step=20), "step 20 is beyond the 20 steps of an epoch"),
}


@pytest.mark.parametrize("case", NOT_A_STATE)
def test_malformed_progress_is_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    """The message stays short."""
    content, expected = NOT_A_STATE[case]
    (tmp_path / "x").write_bytes(crafted(state=content))
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(tmp_path / "x")
    assert expected in str(error.value)
    assert len(str(error.value)) < 400


MISFITS: dict[str, tuple[dict[str, object], str]] = {
    "no JSON": ({"config": "x"}, "'x': Invalid JSON"),
    "a deep configuration": ({"config": "[" * 100_000}, "Invalid JSON: recursion limit exceeded"),
    "a configuration with an unknown key": ({"config": '{"sed": 1}'}, "sed: 1: Extra inputs are not permitted"),
    "a key with a line break": ({"config": '{"se\\nd": 1}'}, "se\\nd: 1: Extra inputs are not permitted"),
    "another network": ({"config": '{"training": {"momentum": 0.5}}'}, "w1 is float32 (2, 3), not float32 (100, 784)"),
    "an enormous network": ({"config": '{"network": {"sizes": [1000000, 1000000, 1000000]}, "training": {"momentum": 0.5}}'}, "w1 is float32 (2, 3), not float32 (1000000, 1000000)"),
    "half precision": ({"tensors": {name: tensor.astype("f2") for name, tensor in TENSORS.items()}}, "w1 is float16 (2, 3), not float32 (2, 3)"),
    "integers": ({"tensors": {**TENSORS, "w1": np.ones((2, 3), np.int32)}}, "w1 is int32 (2, 3), not float32 (2, 3)"),
    "double precision": ({"tensors": {**TENSORS, "w1": np.ones((2, 3))}}, "w1 is float64 (2, 3), not float32 (2, 3)"),
    "a velocity in double precision": ({"tensors": {**TENSORS, "velocity": TENSORS["velocity"].astype("f8")}}, "velocity is float64 (14,), not float32 (14,)"),
    "a velocity of another shape": ({"tensors": {**TENSORS, "velocity": TENSORS["velocity"][None]}}, "velocity is float32 (1, 14), not float32 (14,)"),
    "no velocity": ({"tensors": {name: TENSORS[name] for name in ("w1", "b1", "w2", "b2")}}, "velocity is missing"),
    "a tensor too few": ({"tensors": {name: TENSORS[name] for name in TENSORS if name != "b2"}}, "b2 is missing"),
    "a tensor too many": ({"tensors": {**TENSORS, "b3": np.zeros(1, np.float32)}}, "b3 is an extra tensor"),
    "no tensors": ({"tensors": {}}, "b1 is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISFITS)
def test_inconsistent_content_is_refused_despite_a_correct_digest(case: str, tmp_path: Path) -> None:
    parts, expected = MISFITS[case]
    (tmp_path / "x").write_bytes(crafted(**parts))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(tmp_path / "x")
    assert expected in str(error.value)
    assert len(str(error.value)) < 400


def test_a_checkpoint_without_configuration_fails_its_digest(tmp_path: Path) -> None:
    save_file(dict(TENSORS), tmp_path / "x", {"format": "nn-checkpoint-1", "digest": ""})
    with pytest.raises(CheckpointError, match="its digest does not match"):
        load_checkpoint(tmp_path / "x")


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F4", "C64", "BOOL", "X9"])
def test_unsupported_tensor_types_are_refused(dtype: str, tmp_path: Path) -> None:
    header = json.dumps({"w1": {"dtype": dtype, "shape": [8], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "x")


@pytest.mark.parametrize(
    "shape", [[2**62, 0], [2**63, 0], [0, 2**62, 2**62], [1] * 100, [-1], [1.5], ["1"], None], ids=str
)
def test_impossible_tensor_shapes_are_refused(shape: object, tmp_path: Path) -> None:
    header = json.dumps({"w1": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="is not a checkpoint, or is truncated"):
        load_checkpoint(tmp_path / "x")


@pytest.mark.parametrize("command", ["evaluate", "inspect-gradients"])
@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content[1:], lambda _: crafted(config='{"network": {"sizes": [1000000, 1000000]}}'), lambda _: crafted(state="[" * 9999)], ids=["cut", "other", "enormous", "deep"])  # fmt: skip
def test_commands_report_a_bad_checkpoint_in_one_line(
    command: str, damage: Callable[[bytes], bytes], nn: Command, tmp_path: Path
) -> None:
    path = saved(tmp_path / "x.safetensors")
    path.write_bytes(damage(path.read_bytes()))
    outcome = nn(command, path)
    assert outcome.code == 1
    assert outcome.error.startswith(f"Error: {path}: ")
