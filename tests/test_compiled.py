"""Compiled steps give the same results as NumPy's, repeat exactly, and are optional."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, needs_numba

from mnist_nn import Config, Examples, fingerprint, initial_state, train
from mnist_nn.chapter.activation import ACTIVATIONS, Array
from mnist_nn.training.loop import Loop


def settings(
    sizes: tuple[int, ...] = (6, 5, 4, 3),
    activation: str = "sigmoid",
    output: str = "sigmoid",
    cost: str = "squared_error",
    dtype: str = "float64",
    **training: object,
) -> Config:
    return Config.model_validate(
        {
            "dtype": dtype,
            "network": {"sizes": list(sizes), "activation": activation, "output": output},
            "cost": cost,
            "training": {"batch_size": 4, "learning_rate": 0.1, "momentum": 0.5, "l2": 0.1, **training},
        }
    )


def parameters_after_an_epoch(config: Config, *, compiled: bool) -> np.ndarray:
    """Train on 22 examples in batches of 4, so that the last batch is smaller, in two slices of steps."""
    config = config.model_copy(update={"training": config.training.model_copy(update={"compiled": compiled})})
    random = np.random.default_rng(5)
    n, n_L = config.network.sizes[0], config.network.sizes[-1]
    examples = Examples(random.integers(0, 256, (22, n), dtype=np.uint8), random.random((22, n_L)))
    state = initial_state(config)
    loop = Loop(config, state.network, examples)
    order = random.permutation(22)
    for first, last in ((0, 2), (2, 6)):
        loop.run(order, first, last, state.velocity, config.training.learning_rate)
    return state.network.parameters


EVERY = [
    (hidden, output, cost)
    for hidden in ACTIVATIONS
    for output in ACTIVATIONS
    for cost in ("squared_error", "cross_entropy")
    if cost == "squared_error" or output == "sigmoid"
]


@needs_numba
@pytest.mark.parametrize(("activation", "output", "cost"), EVERY)
@pytest.mark.parametrize("sizes", [(6, 3), (6, 5, 3), (6, 5, 4, 3)])
@pytest.mark.parametrize("training", [{}, {"momentum": 0.0, "l2": 0.0}, {"batch_size": 1}, {"batch_size": 50}])
def test_uncompiled_numba_steps_equal_the_chapters_steps_exactly(
    activation: str,
    output: str,
    cost: str,
    sizes: tuple[int, ...],
    training: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With compilation switched off, NumPy runs the steps that Numba would compile."""
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    config = settings(sizes, activation, output, cost, "float32", **training)
    found = parameters_after_an_epoch(config, compiled=True)
    np.testing.assert_array_equal(found, parameters_after_an_epoch(config, compiled=False))


@needs_numba
@pytest.mark.parametrize(
    ("activation", "output", "cost", "sizes"),
    [
        ("sigmoid", "sigmoid", "squared_error", (6, 5, 4, 3)),
        ("tanh", "sigmoid", "cross_entropy", (6, 5, 3)),
        ("relu", "identity", "squared_error", (6, 5, 3)),
        ("identity", "tanh", "squared_error", (6, 5, 3)),
    ],
)
@pytest.mark.parametrize("training", [{}, {"momentum": 0.0, "l2": 0.0}, {"batch_size": 1}, {"batch_size": 50}])
def test_compiled_steps_give_the_same_numbers_as_numpy(
    activation: str, output: str, cost: str, sizes: tuple[int, ...], training: dict[str, object]
) -> None:
    config = settings(sizes, activation, output, cost, **training)
    found = parameters_after_an_epoch(config, compiled=True)
    expected = parameters_after_an_epoch(config, compiled=False)
    assert np.abs(expected - initial_state(config).network.parameters).max() > 0.001
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@needs_numba
def test_compiled_steps_use_the_networks_precision() -> None:
    """Two compiled runs give the same bits."""
    config = settings(dtype="float32")
    found = parameters_after_an_epoch(config, compiled=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, parameters_after_an_epoch(config, compiled=False), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found, parameters_after_an_epoch(config, compiled=True))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A separate cache directory for Numba."""
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@needs_numba
def test_compiled_code_is_cached_and_rebuilt_if_damaged(cache: Path) -> None:
    config = settings((3, 2))
    first = parameters_after_an_epoch(config, compiled=True)
    kept = [file for file in cache.rglob("*") if file.is_file()]
    assert {file.suffix for file in kept} == {".nbi", ".nbc"}
    written = [file.stat().st_mtime_ns for file in kept]
    np.testing.assert_array_equal(parameters_after_an_epoch(config, compiled=True), first)
    assert [file.stat().st_mtime_ns for file in kept] == written
    for file in kept:
        file.write_bytes(file.read_bytes()[:-9])
    np.testing.assert_array_equal(parameters_after_an_epoch(config, compiled=True), first)


def not_the_sigmoid(z: Array, out: Array) -> Array:
    return np.multiply(z, 0.5, out)


@needs_numba
def test_a_cached_function_is_known_by_its_source(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another function of the same name is compiled again."""
    config = settings((3, 2))
    first = parameters_after_an_epoch(config, compiled=True)
    monkeypatch.setitem(ACTIVATIONS, "sigmoid", ACTIVATIONS["sigmoid"]._replace(sigma=not_the_sigmoid))
    found = parameters_after_an_epoch(config, compiled=True)
    assert np.abs(found - first).max() > 0.001
    np.testing.assert_allclose(found, parameters_after_an_epoch(config, compiled=False), rtol=1e-12)


@needs_numba
def test_compilation_works_without_a_writable_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator", raising=False)
    cache.write_text("in the way of the directory")
    config = settings((3, 2))
    found = parameters_after_an_epoch(config, compiled=True)
    np.testing.assert_allclose(found, parameters_after_an_epoch(config, compiled=False), rtol=1e-12)


@needs_numba
def test_extending_a_compiled_run_equals_one_longer_run(nn: Command, small: Path) -> None:
    """run.json records the versions of Numba and SciPy. The costs are close to an uncompiled run's."""
    compiled = ["--set", "training.compiled=true", "--set", "training.schedule=constant"]
    short = nn("train", small, *compiled, "--run-dir", "short")
    assert short.code == 0
    assert "compiled with Numba" in short.err
    longer = nn("train", small, *compiled, "--set", "training.epochs=5", "--run-dir", "long")
    extended = nn("train", "--resume", "short", "--set", "training.epochs=5")
    fingerprints = [
        [line for line in outcome.out.splitlines() if line.startswith("fingerprint")] for outcome in (longer, extended)
    ]
    assert fingerprints[0] == fingerprints[1] != []
    assert {"numba", "scipy"} <= json.loads(Path("short/run.json").read_text())["versions"].keys()
    nn("train", small, "--set", "training.schedule=constant", "--set", "training.epochs=5", "--run-dir", "plain")
    costs = []
    for run in ("long", "plain"):
        with Path(run, "metrics.csv").open() as file:
            costs.append([float(row["train_cost"]) for row in csv.DictReader(file)])
    assert costs[0] == pytest.approx(costs[1], rel=1e-4)


@needs_numba
def test_a_compiled_run_resumes_exactly_within_an_epoch() -> None:
    config = settings((6, 5, 4, 3), dtype="float32", compiled=True, epochs=2)
    random = np.random.default_rng(0)
    examples = Examples(random.random((1000, 6)), random.random((1000, 3)))
    whole, cut = initial_state(config), initial_state(config)
    assert len([*train(config, whole, examples, examples[:0])]) > 4
    for number, _ in enumerate(train(config, cut, examples, examples[:0])):
        if number == 1:
            break
    assert 0 < cut.step < 250
    for _ in train(config, cut, examples, examples[:0]):
        pass
    assert fingerprint(cut.network) == fingerprint(whole.network)
    np.testing.assert_array_equal(cut.velocity, whole.velocity)


@needs_numba
def test_resuming_with_another_numba_version_warns(nn: Command, small: Path) -> None:
    nn("train", small, "--set", "training.compiled=true", "--run-dir", "run")
    file = Path("run/run.json")
    description = json.loads(file.read_text())
    description["versions"]["numba"] = "0.1.0"
    file.write_text(json.dumps(description))
    outcome = nn("train", "--resume", "run", "--set", "training.epochs=4")
    assert outcome.code == 0
    assert "warning: numba was 0.1.0 and is " in outcome.err
    assert outcome.err.count("warning") == 1


@needs_numba
def test_the_thread_setting_also_limits_compiled_products() -> None:
    program = (
        "import click\n"
        "from threadpoolctl import threadpool_info\n"
        "from mnist_nn import Config\n"
        "from nn_cli.machine import choose_threads\n"
        "with click.Context(click.Command('train')):\n"
        "    choose_threads(Config.model_validate({'training': {'compiled': True, 'threads': 1}}))\n"
        "    import scipy.linalg.cython_blas\n"
        "    print(*[library['num_threads'] for library in threadpool_info() if library['user_api'] == 'blas'])\n"
    )
    two = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "2")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ | two
    )
    assert set(done.stdout.split()) == {"1"}


@needs_numba
def test_a_compiled_run_reports_divergence(nn: Command, small: Path) -> None:
    outcome = nn(
        "train", small, "--set", "training.compiled=true", "--set", "network.activation=identity",
        "--set", "network.output=identity", "--set", "training.learning_rate=1000.0", "--run-dir", "run",
    )  # fmt: skip
    assert outcome.code == 1
    assert "training diverged in epoch 1, by step " in outcome.error


def test_without_numba_the_error_says_what_to_do(nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the key and both solutions. A run without compiled steps still works."""
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "mnist_nn.training.compiled_steps", raising=False)
    outcome = nn("train", small, "--set", "training.compiled=true", "--run-dir", "run")
    assert outcome.code == 2
    assert "training.compiled: true: needs Numba and SciPy" in outcome.error
    assert "pip install 'numba>=0.61' 'scipy>=1.13', or train anew with --set training.compiled=false" in outcome.error
    assert not Path("run").exists()
    assert nn("train", small, "--run-dir", "run").code == 0
