"""An exported network gives nn's own answers elsewhere: in onnxruntime, in PyTorch, in plain NumPy."""

import io
import os
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from conftest import ROOT, Command
from run_maker import make_measurable_run, make_run
from safetensors import safe_open

from data_scripts.idx import read_split
from data_scripts.synthetic import draw_digits
from mnist_nn import Config, deslant, fingerprint, initial_state, load_checkpoint, save_checkpoint
from mnist_nn.chapter.activation import ActivationName
from mnist_nn.examples.dataset import classify
from mnist_nn.runs.checkpoint import Checkpoint

ACTIVATIONS = get_args(ActivationName)
PAIRS = [
    *((hidden, output, "squared_error") for hidden in ACTIVATIONS for output in ACTIVATIONS),
    *((hidden, "sigmoid", "cross_entropy") for hidden in ACTIVATIONS),
]
BOUNDS = {"float32": 1e-6, "float64": 1e-12}  # of |Δa|, for outputs up to about 1


@pytest.fixture(scope="session")
def runtime() -> Any:
    """The modules onnx and onnxruntime."""
    if find_spec("onnx") is None or find_spec("onnxruntime") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs onnx and onnxruntime: pip install -e '.[test]'")
    import onnx
    import onnxruntime

    return SimpleNamespace(onnx=onnx, ort=onnxruntime)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Drawn digits, noise, and images that deslanting must not divide by zero for."""
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (300, 28, 28), np.uint8)
    dots = noise[:200] * (random.random((200, 28, 28)) < 0.005)
    special = np.zeros((6, 28, 28), np.uint8)
    special[1] = 255
    special[2, 9, 3:20] = 200  # one row
    special[3, :, 13] = 90  # one column
    special[4, 27, 27] = special[5, 0, 0] = 1
    return np.concatenate([draw_digits(500, 3, "train")[0], noise, dots, special])


def save_network(path: Path, **values: Any) -> Checkpoint:
    """Save a checkpoint with random parameters, so that the outputs are about as large as 1."""
    config = Config.model_validate({"data": {"source": "idx"}, **values})
    state = initial_state(config)
    random = np.random.default_rng(5)
    for l in state.network.layers:
        w = state.network.w[l]
        w[...] = random.normal(0, 1 / np.sqrt(w.shape[1]), w.shape)
        state.network.b[l][...] = random.normal(0, 0.3, (len(w), 1))
    save_checkpoint(path, config, state)
    return Checkpoint(config, state)


def layers(*sizes: int, hidden: str = "sigmoid", output: str = "sigmoid") -> dict[str, Any]:
    return {"sizes": list(sizes), "activation": hidden, "output": output}


def expected_outputs(checkpoint: Checkpoint, inputs: np.ndarray) -> np.ndarray:
    """nn's outputs (N, n_L), written out with the chapter's formula. Pixels are deslanted if need be, and scaled."""
    network, dtype = checkpoint.network, checkpoint.network.parameters.dtype
    a = (deslant(inputs) if checkpoint.config.data.deslant else inputs).reshape(len(inputs), -1).astype(dtype).T
    if inputs.dtype == np.uint8:
        a *= dtype.type(1 / 255)
    for l in network.layers:
        z = network.w[l] @ a + network.b[l]
        a = network.activation[l].sigma(z, np.empty_like(z))
    return a.T


def run_graph(runtime: Any, file: Path, inputs: np.ndarray) -> np.ndarray:
    session = runtime.ort.InferenceSession(file.read_bytes())
    assert [output.name for output in session.get_outputs()] == ["outputs"]
    (outputs,) = session.run(["outputs"], {"image" if inputs.dtype == np.uint8 else "input": inputs})
    return np.asarray(outputs)


def run_program(program: str, **names: Any) -> dict[str, Any]:
    exec(compile(program, "the printed program", "exec"), names)
    return names


def properties(model: Any) -> dict[str, str]:
    return {one.key: one.value for one in model.metadata_props}


# Numbers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("hidden", "output", "cost"), PAIRS)
def test_onnxruntime_computes_the_same_outputs(
    hidden: str, output: str, cost: str, dtype: str, nn: Command, runtime: Any, images: np.ndarray
) -> None:
    checkpoint = save_network(
        Path("net.safetensors"), dtype=dtype, cost=cost, network=layers(784, 13, 9, 10, hidden=hidden, output=output)
    )
    assert nn("export", "net.safetensors", "net.onnx").code == 0
    expected = expected_outputs(checkpoint, images)
    found = run_graph(runtime, Path("net.onnx"), images)
    assert found.dtype == dtype
    assert np.abs(found - expected).max() <= BOUNDS[dtype] * max(1, np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("hidden", "output", "cost"), PAIRS)
def test_the_printed_numpy_program_computes_the_same_outputs(
    hidden: str, output: str, cost: str, dtype: str, nn: Command, images: np.ndarray
) -> None:
    checkpoint = save_network(
        Path("net.safetensors"), dtype=dtype, cost=cost, network=layers(784, 13, 9, 10, hidden=hidden, output=output)
    )
    program = nn("export", "net.safetensors", "net.npz").out
    expected = expected_outputs(checkpoint, images)
    found = run_program(program, images=images)["a"]
    assert np.abs(found - expected).max() <= 2 * BOUNDS[dtype] * max(1, np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("hidden", "output", "cost"), PAIRS)
def test_the_printed_pytorch_program_computes_the_same_outputs(
    hidden: str, output: str, cost: str, dtype: str, nn: Command, images: np.ndarray
) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    checkpoint = save_network(
        Path("net.safetensors"), dtype=dtype, cost=cost, network=layers(784, 13, 9, 10, hidden=hidden, output=output)
    )
    program = nn("export", "net.safetensors", "out.safetensors").out
    assert "strict=True" in program
    assert max(map(len, program.splitlines())) <= 80
    expected = expected_outputs(checkpoint, images)
    names = run_program(program, images=torch.from_numpy(images))
    found = names["outputs"].detach().numpy()
    assert found.dtype == dtype
    assert np.abs(found - expected).max() <= 2 * BOUNDS[dtype] * max(1, np.abs(expected).max())
    for name, tensor in names["network"].state_dict().items():
        l, kind = (int(name.split(".")[0]) + 1) // 2, name.split(".")[1]
        own = checkpoint.network.w[l] if kind == "weight" else checkpoint.network.b[l][:, 0]
        assert tensor.numpy().tobytes() == own.tobytes()


@pytest.mark.parametrize("with_deslanting", [False, True])
def test_real_mnists_test_images_have_the_same_answers(
    with_deslanting: bool, nn: Command, runtime: Any, real_mnist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a short training, on all 10,000 images."""
    settings = {"data.source": "idx", "training.epochs": 1, "data.deslant": str(with_deslanting).lower()}
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    assert nn("train", "nielsen", *options, "--data-dir", real_mnist, "--run-dir", "run", "--quiet").code == 0
    outcome = nn("export", "run", "net.onnx")
    assert re.search(
        r"same answers on 10,000 validation images\n +largest \|Δa\| between its outputs and nn's: \d\.\de-0[67]\n",
        outcome.err,
    )
    test_images, labels = read_split(real_mnist, "test")
    expected = expected_outputs(load_checkpoint("run/checkpoints/best.safetensors"), test_images)
    found = run_graph(runtime, Path("net.onnx"), test_images)
    largest = np.abs(found - expected).max()
    with capsys.disabled():
        print(f"\n10,000 test images, deslanting {with_deslanting}: largest |Δa| {largest:.1e}")
    assert (classify(found.T) == classify(expected.T)).all()
    assert (classify(found.T) == labels).mean() > 0.9
    assert largest < 5e-6


# Deslanting


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_graph_deslants_to_the_same_bytes(dtype: str, runtime: Any, images: np.ndarray) -> None:
    from mnist_nn.exporting.onnx_graph import to_onnx

    checkpoint = save_network(Path("net.safetensors"), dtype=dtype, data={"source": "idx", "deslant": True})
    model = runtime.onnx.load_from_string(to_onnx(checkpoint, {"nn_version": "0", "sizes": "784-100-10"}))
    model.graph.output.append(runtime.onnx.helper.make_empty_tensor_value_info("upright"))
    outputs, upright = runtime.ort.InferenceSession(model.SerializeToString()).run(None, {"image": images})
    assert len(images) > 1000
    np.testing.assert_array_equal(upright.reshape(images.shape), deslant(images))
    assert (deslant(images) != images).any(axis=(1, 2)).mean() > 0.9
    assert np.abs(outputs - expected_outputs(checkpoint, images)).max() <= BOUNDS[dtype]


def test_the_deslanting_graph_suits_onnxruntime_1_6(runtime: Any) -> None:
    """It has no float64 kernel for Where, and takes only scalars without dimensions as the limits of Clip."""
    from mnist_nn.exporting.onnx_graph import to_onnx

    checkpoint = save_network(Path("net.safetensors"), data={"source": "idx", "deslant": True})
    model = runtime.onnx.load_from_string(to_onnx(checkpoint, {"nn_version": "0", "sizes": "784-100-10"}))
    assert "Where" not in {node.op_type for node in model.graph.node}
    dimensions = {one.name: list(one.dims) for one in model.graph.initializer}
    assert dimensions["left_edge"] == dimensions["right_edge"] == dimensions["scale"] == []


@pytest.mark.parametrize("side", [1, 2, 9, 40])
def test_images_of_any_side_are_deslanted_to_the_same_bytes(side: int, runtime: Any) -> None:
    from mnist_nn.exporting.onnx_graph import to_onnx

    checkpoint = save_network(
        Path("net.safetensors"), data={"source": "idx", "deslant": True}, network=layers(side**2, 3, 2)
    )
    model = runtime.onnx.load_from_string(to_onnx(checkpoint, {"nn_version": "0", "sizes": "?"}))
    model.graph.output.append(runtime.onnx.helper.make_empty_tensor_value_info("upright"))
    noise = np.random.default_rng(side).integers(0, 256, (200, side, side), np.uint8)
    _, upright = runtime.ort.InferenceSession(model.SerializeToString()).run(None, {"image": noise})
    np.testing.assert_array_equal(upright.reshape(noise.shape), deslant(noise))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_programs_without_a_graph_deslant_with_nn(dtype: str, nn: Command, images: np.ndarray) -> None:
    checkpoint = save_network(Path("net.safetensors"), dtype=dtype, data={"source": "idx", "deslant": True})
    expected = expected_outputs(checkpoint, images)
    outcome = nn("export", "net.safetensors", "net.npz")
    assert "deslant  not in the file: see the program" in outcome.err
    assert np.abs(run_program(outcome.out, images=images)["a"] - expected).max() < 2e-6
    program = nn("export", "net.safetensors", "torch.safetensors").out
    assert "from mnist_nn import deslant" in program
    assert max(map(len, (outcome.out + program).splitlines())) <= 80
    pytest.importorskip("torch", reason="needs PyTorch")
    assert np.abs(run_program(program, images=images)["outputs"].detach().numpy() - expected).max() < 2e-6


# The graph


def test_the_graph_is_for_old_runtimes_and_any_number_of_images(nn: Command, runtime: Any, images: np.ndarray) -> None:
    save_network(Path("net.safetensors"))
    nn("export", "net.safetensors", "net.onnx")
    model = runtime.onnx.load("net.onnx")
    runtime.onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 7
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 13)]
    (entry,), (output,) = model.graph.input, model.graph.output
    assert (entry.name, output.name) == ("image", "outputs")
    assert entry.type.tensor_type.elem_type == runtime.onnx.TensorProto.UINT8
    shapes = [[d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim] for one in (entry, output)]
    assert shapes == [["N", 28, 28], ["N", 10]]
    assert [node.op_type for node in model.graph.node] == [
        "Flatten",
        "Cast",
        "Mul",
        "Gemm",
        "Sigmoid",
        "Gemm",
        "Sigmoid",
    ]
    whole = run_graph(runtime, Path("net.onnx"), images)
    for n in (0, 1, 7):
        part = run_graph(runtime, Path("net.onnx"), images[:n])
        assert part.shape == (n, 10)
        np.testing.assert_allclose(part, whole[:n], atol=1e-6)


def test_pixels_that_form_no_square_come_in_as_rows(nn: Command, runtime: Any) -> None:
    checkpoint = save_network(Path("net.safetensors"), network=layers(600, 5, 3))
    outcome = nn("export", "net.safetensors", "net.onnx")
    assert "same answers on 1,000 random images" in outcome.err
    assert "images: uint8 (N, 600)" in outcome.out
    rows = np.random.default_rng(0).integers(0, 256, (20, 600), np.uint8)
    np.testing.assert_allclose(
        run_graph(runtime, Path("net.onnx"), rows), expected_outputs(checkpoint, rows), atol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inline_data_come_in_as_numbers(dtype: str, nn: Command, runtime: Any) -> None:
    data = {"source": "inline", "inputs": [[0.5, -2.0], [1.0, 3.0]], "targets": [[1.0], [0.0]]}
    checkpoint = save_network(Path("net.safetensors"), dtype=dtype, data=data, network=layers(2, 3, 1, hidden="tanh"))
    rows = np.random.default_rng(0).normal(size=(9, 2)).astype(dtype)
    expected = expected_outputs(checkpoint, rows)
    outcome = nn("export", "net.safetensors", "net.onnx")
    assert "same answers on 2 examples" in outcome.err
    np.testing.assert_allclose(run_graph(runtime, Path("net.onnx"), rows), expected, atol=1e-6)
    np.testing.assert_allclose(
        run_program(nn("export", "net.safetensors", "net.npz").out, inputs=rows)["a"], expected, atol=1e-6
    )
    program = nn("export", "net.safetensors", "out.safetensors").out
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    found = run_program(program, inputs=torch.from_numpy(rows))["outputs"].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_deep_networks_have_programs_of_eighty_columns(nn: Command, images: np.ndarray) -> None:
    checkpoint = save_network(
        Path("net.safetensors"), network=layers(784, *[20] * 40, 10, hidden="tanh", output="identity")
    )
    program = nn("export", "net.safetensors", "out.safetensors").out
    assert max(map(len, program.splitlines())) <= 80
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    found = run_program(program, images=torch.from_numpy(images))["outputs"].detach().numpy()
    np.testing.assert_allclose(found, expected_outputs(checkpoint, images), atol=1e-4)  # rounding grows over 41 layers


# What the file says


FACTS = {
    "written_by": "nn export", "sizes": "784-12-10", "activation": "sigmoid", "output": "sigmoid", "cost": "squared_error",
    "dtype": "float32", "scaling": "pixels / 255", "deslant": "false", "seed": "0", "data": "idx",
    "data_licence": "unknown to nn: it is for the owner of the IDX files to say", "recipe": "small", "run": "run",
}  # fmt: skip


def read_facts(file: Path) -> dict[str, str]:
    match file.suffix:
        case ".onnx":
            import onnx

            return properties(onnx.load(file))
        case ".safetensors":
            with safe_open(file, framework="np") as opened:
                return {key: value for key, value in opened.metadata().items() if key != "format"}
        case _:
            with np.load(file, allow_pickle=False) as arrays:
                return {name: str(arrays[name]) for name in arrays.files if arrays[name].dtype.kind == "U"}


@pytest.mark.parametrize("name", ["net.onnx", "net.safetensors", "net.npz"])
def test_the_file_says_where_the_network_comes_from(
    name: str, nn: Command, small: Path, request: pytest.FixtureRequest
) -> None:
    if name.endswith(".onnx"):
        request.getfixturevalue("runtime")
    assert nn("train", small, "--run-dir", "run", "--quiet").code == 0
    nn("export", "run", name, "--checkpoint", "last")
    facts = read_facts(Path(name))
    assert facts.items() >= FACTS.items()
    assert facts["epoch"] == "3"
    assert "test_accuracy" not in facts
    network = load_checkpoint("run/checkpoints/last.safetensors").network
    assert facts["fingerprint"] == fingerprint(network)
    last = Path("run/metrics.csv").read_text().splitlines()[-1].split(",")
    assert float(facts["validation_accuracy"]) == float(last[6])
    nn("evaluate", "run", "--checkpoint", "last")
    nn("evaluate", "run", "--checkpoint", "last", "--split", "train")
    nn("export", "run", name, "--checkpoint", "last")
    measured = read_facts(Path(name))
    assert measured.items() > facts.items()
    assert measured["test_examples"] == "100"
    assert 0 < float(measured["test_accuracy"]) <= 1


def test_mnists_licence_is_in_the_file(nn: Command) -> None:
    save_network(Path("net.safetensors"), data={"source": "mnist"})
    nn("export", "net.safetensors", "net.npz")
    facts = read_facts(Path("net.npz"))
    assert facts["data_licence"] == "MNIST by Yann LeCun, Corinna Cortes and Christopher J.C. Burges, CC BY-SA 3.0"
    assert "run" not in facts


def test_arrays_have_the_names_and_bits_of_the_checkpoint(nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    network = load_checkpoint(run / "checkpoints/best.safetensors").network
    nn("export", "run", "net.npz")
    with np.load("net.npz", allow_pickle=False) as arrays:
        assert [name for name in arrays.files if arrays[name].dtype.kind == "f"] == ["w1", "b1", "w2", "b2"]
        for l in network.layers:
            np.testing.assert_array_equal(arrays[f"w{l}"], network.w[l])
            np.testing.assert_array_equal(arrays[f"b{l}"], network.b[l][:, 0])
    nn("export", "run", "net.safetensors")
    with safe_open("net.safetensors", framework="np") as file:
        assert sorted(file.keys()) == ["1.bias", "1.weight", "3.bias", "3.weight"]


@pytest.mark.parametrize("name", ["net.onnx", "net.safetensors", "net.npz"])
def test_the_same_network_gives_the_same_bytes(
    name: str, nn: Command, digits: Path, request: pytest.FixtureRequest
) -> None:
    if name.endswith(".onnx"):
        request.getfixturevalue("runtime")
    make_measurable_run("run", digits)
    nn("export", "run", name)
    first = Path(name).read_bytes()
    assert nn("export", "run", name).code == 0
    assert Path(name).read_bytes() == first


def test_damaged_files_of_the_run_cost_only_their_facts(nn: Command, digits: Path) -> None:
    make_measurable_run("run", digits)
    Path("run/metrics.csv").write_text("nonsense\n1\n")
    outcome = nn("export", "run", "net.npz")
    assert outcome.code == 0
    assert "metrics.csv" in outcome.err
    assert "recipe and measurements are left out of the file" in outcome.err
    assert "recipe" not in read_facts(Path("net.npz"))


# Which network, and which file


def test_the_newest_run_is_exported_by_default(nn: Command, digits: Path) -> None:
    make_measurable_run("runs/old", digits)
    make_measurable_run("runs/new", digits)
    outcome = nn("export", "net.npz")
    assert outcome.err.startswith("run runs/new\nnetwork  784-12-10, epoch 1 of new (best)\nwritten  net.npz (")
    assert "checked  read back, the same bits" in outcome.err


def test_snapshots_and_checkpoint_files_are_exported(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run", "--quiet", "--set", "training.snapshots=3")
    assert nn("export", "run/snapshots/000000000.safetensors", "net.npz").code == 0
    facts = read_facts(Path("net.npz"))
    assert (facts["recipe"], facts["epoch"]) == ("small", "0")
    assert "validation_accuracy" not in facts
    outcome = nn("export", "run/checkpoints/last.safetensors", "net.npz", "--checkpoint", "last")
    assert (outcome.code, outcome.error) == (
        2,
        "Error: --checkpoint needs a run directory, but run/checkpoints/last.safetensors is a file (see `nn export --help`)",
    )


REFUSED = [
    ((), "FILE is missing: name a file that ends in .onnx, .safetensors or .npz"),
    (("run",), "FILE is missing: run is a run; name a file after it, such as network.onnx"),
    (("run", "net.pt"), "FILE net.pt: must end in .onnx, .safetensors or .npz, which says what is written"),
    (("run", "net"), "FILE net: must end in .onnx, .safetensors or .npz, which says what is written"),
    (("run", "net.npz", "more.npz"), "more.npz: is one name too many; give RUN and FILE"),
    (("run", "folder.npz"), "FILE folder.npz: is a directory; give a file name"),
    (("run", "."), "FILE .: is a directory; give a file name"),
    (("run", "notes.npz"), "FILE notes.npz: already exists and was not written by this command; choose another name"),
    (("run", "pipe.npz"), "FILE pipe.npz: already exists and was not written by this command; choose another name"),
    (("run", "run/checkpoints/best.safetensors"), "FILE run/checkpoints/best.safetensors: already exists and was not written by this command"),
    (("many", "net.npz"), "many: holds several runs; name one of those that `nn runs many --sort -accuracy` lists"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "reason"), REFUSED)
def test_wrong_names_are_refused(names: tuple[str, ...], reason: str, nn: Command, digits: Path) -> None:
    make_measurable_run("run", digits)
    make_run("many/a")
    Path("folder.npz").mkdir()
    Path("notes.npz").write_bytes(b"PK my own notes")
    os.mkfifo("pipe.npz")
    before = Path("run/checkpoints/best.safetensors").read_bytes()
    outcome = nn("export", *names)
    assert outcome.code == 2
    assert outcome.error.startswith(f"Error: {reason}")
    assert outcome.out == ""
    assert Path("run/checkpoints/best.safetensors").read_bytes() == before
    assert Path("notes.npz").read_bytes() == b"PK my own notes"


@pytest.mark.parametrize("name", ["net.onnx", "net.safetensors", "net.npz"])
def test_only_its_own_files_are_replaced(name: str, nn: Command, digits: Path, request: pytest.FixtureRequest) -> None:
    if name.endswith(".onnx"):
        request.getfixturevalue("runtime")
    make_measurable_run("run", digits)
    make_measurable_run("other", digits, hidden=5)
    for run, sizes in (("run", "784-12-10"), ("other", "784-5-10")):
        assert nn("export", run, name).code == 0
        assert read_facts(Path(name))["sizes"] == sizes
    foreign = io.BytesIO()
    np.savez(foreign, w1=np.zeros(3))
    for content in (b"", foreign.getvalue(), Path("run/checkpoints/best.safetensors").read_bytes()):
        Path(name).write_bytes(content)
        assert nn("export", "run", name).code == 2
        assert Path(name).read_bytes() == content


def test_bad_runs_and_checkpoints_are_one_line(nn: Command, digits: Path) -> None:
    make_measurable_run("run", digits)
    best = Path("run/checkpoints/best.safetensors")
    good = best.read_bytes()
    for content, reason in (
        (good[:-1], "is not a checkpoint, or is truncated"),
        (good[:-1] + b"x", "is damaged: its digest"),
        (b"", "is not a checkpoint"),
    ):
        best.write_bytes(content)
        outcome = nn("export", "run", "net.npz")
        assert outcome.code == 1
        assert reason in outcome.error
    assert nn("export", "nowhere", "net.npz").error == "Error: nowhere: there is no such run directory or checkpoint"
    assert "is a recipe, not a run" in nn("export", "quickstart", "net.npz").error
    assert not Path("net.npz").exists()


def test_a_file_that_cannot_be_written_is_one_line(nn: Command, digits: Path) -> None:
    make_measurable_run("run", digits)
    outcome = nn("export", "run", "no/such/net.npz")
    assert (
        outcome.error
        == "Error: FILE no/such/net.npz: cannot be written: No such file or directory; choose another path"
    )


def test_a_full_disk_leaves_the_old_file(nn_process: Callable[..., Any], nn: Command, digits: Path) -> None:
    """A limit on the size of files stands for the full disk."""
    make_measurable_run("run", digits)
    nn("export", "run", "net.npz")
    before = Path("net.npz").read_bytes()

    def limit() -> None:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    process = nn_process("export", "run", "net.npz", preexec_fn=limit)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err == "Error: FILE net.npz: cannot be written: File too large; choose another path\n"
    assert Path("net.npz").read_bytes() == before
    assert not list(Path().glob(".*nn-tmp"))


# Without the packages, and when things disagree


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Make a package impossible to import."""
    import sys

    def hide(package: str) -> None:
        for name in [
            name
            for name in sys.modules
            if name.partition(".")[0] == package or name.startswith(f"mnist_nn.exporting.{package}_")
        ]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)

    return hide


def test_without_onnx_the_package_is_named(without: Callable[[str], None], nn: Command, digits: Path) -> None:
    make_measurable_run("run", digits)
    without("onnx")
    outcome = nn("export", "run", "net.onnx")
    assert outcome.code == 1
    assert outcome.error == (
        "Error: FILE net.onnx: needs the package onnx: pip install 'mnist-nn[onnx]', or name a .safetensors or .npz file"
    )
    assert nn("export", "run", "net.npz").code == 0


@pytest.mark.usefixtures("runtime")
def test_without_onnxruntime_the_graph_is_written_unrun(
    without: Callable[[str], None], nn: Command, digits: Path
) -> None:
    make_measurable_run("run", digits)
    without("onnxruntime")
    outcome = nn("export", "run", "net.onnx")
    assert outcome.code == 0
    assert "checked  onnx.checker: opset 13, IR 7" in outcome.err
    assert "not run  pip install onnxruntime, then export again: the outputs are compared" in outcome.err


@pytest.mark.usefixtures("runtime")
def test_a_graph_with_other_outputs_is_not_written(nn: Command, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here tanh stands where sigmoid should."""
    from mnist_nn.exporting import onnx_graph

    make_measurable_run("run", digits)
    monkeypatch.setitem(onnx_graph.OPERATORS, "sigmoid", "Tanh")
    outcome = nn("export", "run", "net.onnx")
    assert outcome.code == 1
    assert re.match(
        r"Error: FILE net\.onnx: was not written, because onnxruntime's outputs are \d\.\de[+-]\d\d from those of nn, and at most \d\.\de-0[456] is rounding; name a",
        outcome.error,
    )
    assert not Path("net.onnx").exists()


@pytest.mark.usefixtures("runtime")
def test_a_graph_that_onnxruntime_refuses_is_not_written(
    nn: Command, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("Unsupported model\nat line 1")

    make_measurable_run("run", digits)
    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    outcome = nn("export", "run", "net.onnx")
    assert outcome.error.endswith(
        "cannot run the graph: Unsupported model; try another version of onnxruntime, or remove it"
    )
    assert not Path("net.onnx").exists()


@pytest.mark.usefixtures("runtime")
def test_a_network_too_large_for_onnx_is_refused(nn: Command, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mnist_nn.exporting import onnx_graph

    make_measurable_run("run", digits)
    monkeypatch.setattr(onnx_graph, "LARGEST", 1000)
    outcome = nn("export", "run", "net.onnx")
    assert outcome.error == (
        "Error: FILE net.onnx: would hold 0.0 GB of parameters, and an .onnx file holds at most 2 GB; name a .safetensors or .npz file"
    )


@pytest.mark.usefixtures("runtime")
def test_the_comparison_never_reads_the_test_set(nn: Command, digits: Path, tmp_path: Path) -> None:
    directory = tmp_path / "training only"
    directory.mkdir()
    for file in digits.glob("train-*"):
        (directory / file.name).symlink_to(file)
    make_measurable_run("run", directory)
    assert "same answers on 50 validation images" in nn("export", "run", "net.onnx").err


# Documents


def test_the_documents_show_the_printed_programs(nn: Command, request: pytest.FixtureRequest) -> None:
    if not (ROOT / "cli" / "README.md").exists():
        pytest.skip("the documents are not beside the tests here")
    section = (
        (ROOT / "cli" / "README.md")
        .read_text(encoding="utf-8")
        .split("\n## Exporting a network\n")[1]
        .split("\n## ")[0]
    )
    shown = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    save_network(Path("net.safetensors"), network=layers(784, 100, 10))
    endings = (".onnx", ".safetensors", ".npz")
    assert len(shown) == len(endings)
    for program, ending in zip(shown, endings, strict=True):
        if ending == ".onnx":
            request.getfixturevalue("runtime")
        assert nn("export", "net.safetensors", f"network{ending}").out == program
    assert len(shown[1].splitlines()) == 6
    for name in read_facts(Path("network.npz")):
        assert f"`{name}`" in section or name == "written_by", name
