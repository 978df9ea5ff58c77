"""Compiled steps give the same results as NumPy's, repeat exactly, and are optional."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, needs_numba

from mnist_nn import Config, Examples, fingerprint, initial_state, train
from mnist_nn.chapter.activation import ACTIVATIONS, Array
from mnist_nn.errors import ConfigError
from mnist_nn.examples.shuffling import Shuffling
from mnist_nn.training.loop import Loop
from mnist_nn.training.workers import Workers


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
    """Train on 22 examples in batches of 4, so that the last batch is smaller, in three slices of steps."""
    config = config.model_copy(update={"training": config.training.model_copy(update={"compiled": compiled})})
    random = np.random.default_rng(5)
    n, n_L = config.network.sizes[0], config.network.sizes[-1]
    examples = Examples(random.integers(0, 256, (22, n), dtype=np.uint8), random.random((22, n_L)))
    state = initial_state(config)
    loop = Loop(config, state, examples, Workers())
    shuffling = Shuffling(seed=5, n=22, m=min(config.training.batch_size, 22), steps=2)
    for steps in shuffling.slices(epochs=1):
        loop.run(steps, examples, steps.rows, config.training.learning_rate)
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
    """Without compilation, NumPy runs the steps that Numba would compile."""
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(numba, "njit", lambda function, **_: function)
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
    activation: str,
    output: str,
    cost: str,
    sizes: tuple[int, ...],
    training: dict[str, object],
    quick_compiler: None,
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
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba with little optimization, for tests of everything but the numbers: it compiles in half of the time."""
    import numba

    monkeypatch.setattr(numba.config, "OPT", type(numba.config.OPT)("1"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_compiler: None) -> Path:
    """A separate cache directory for Numba."""
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@needs_numba
def test_compiled_code_is_cached_and_rebuilt_if_damaged(cache: Path) -> None:
    config = settings((3, 2))
    first = parameters_after_an_epoch(config, compiled=True)
    kept = [file for file in cache.rglob("*") if file.is_file()]
    assert {file.suffix for file in kept} == {".nbi", ".nbc", ".sha256"}
    written = [file.stat().st_mtime_ns for file in kept]
    np.testing.assert_array_equal(parameters_after_an_epoch(config, compiled=True), first)
    assert [file.stat().st_mtime_ns for file in kept] == written
    for file in kept:
        file.write_bytes(file.read_bytes()[:-9])
    np.testing.assert_array_equal(parameters_after_an_epoch(config, compiled=True), first)


def files_in(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file())


@needs_numba
@pytest.mark.parametrize("suffix", [".nbc", ".nbi"])
def test_a_damaged_cache_file_never_reaches_numba(
    suffix: str, cache: Path, monkeypatch: pytest.MonkeyPatch, random: np.random.Generator
) -> None:
    """Changed machine code would end the process, so the file is removed before Numba looks for it."""
    from numba.core.caching import IndexDataCacheFile

    read: list[bytes] = []
    load = IndexDataCacheFile._load_data

    def spy(self: IndexDataCacheFile, name: str) -> object:
        read.append(Path(self._data_path(name)).read_bytes())
        return load(self, name)

    config = settings((3, 2))
    first = parameters_after_an_epoch(config, compiled=True)
    (file,) = cache.rglob(f"*{suffix}")
    (code,) = cache.rglob("*.nbc")
    whole = file.read_bytes()
    monkeypatch.setattr(IndexDataCacheFile, "_load_data", spy)
    for place in random.choice(len(whole), 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        file.write_bytes(damaged)
        read.clear()
        np.testing.assert_array_equal(parameters_after_an_epoch(config, compiled=True), first)
        assert read == []
        kept = code.read_bytes()
        np.testing.assert_array_equal(parameters_after_an_epoch(config, compiled=True), first)
        assert read == [kept]
        whole = file.read_bytes()


@needs_numba
@pytest.mark.parametrize("digest", [None, b"\xff"])
def test_a_cache_file_without_its_digest_is_not_used(digest: bytes | None, cache: Path) -> None:
    config = settings((3, 2))
    first = parameters_after_an_epoch(config, compiled=True)
    (code,) = cache.rglob("*.nbc")
    (file,) = cache.rglob("*.nbc.sha256")
    right, written = file.read_bytes(), code.stat().st_mtime_ns
    file.unlink() if digest is None else file.write_bytes(digest)
    np.testing.assert_array_equal(parameters_after_an_epoch(config, compiled=True), first)
    assert code.stat().st_mtime_ns != written
    assert len(file.read_bytes()) == len(right)


@needs_numba
def test_the_command_keeps_compiled_code_in_the_users_cache(small: Path, tmp_path: Path) -> None:
    """Never in the package, where `pip uninstall` would leave it. Every file of code has its digest."""
    import mnist_nn

    package = Path(str(mnist_nn.__file__)).parent
    before = [*package.rglob("*.nb[ci]")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "caches"), "NUMBA_CACHE_DIR": "", "NUMBA_OPT": "1"}
    program = (
        "import sys\n"
        "from nn_cli.data_directory import data_directory\n"
        "from nn_cli.main import main\n"
        "print(data_directory(None))\n"
        "main(sys.argv[1:])\n"
    )
    environment.pop("NN_DATA_DIR")
    command = [sys.executable, "-c", program, "train", str(small), "--quiet", "--set", "training.compiled=true"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    kept = {file.name for file in files_in(Path(done.stdout.splitlines()[0], "compiled"))}
    code = {name for name in kept if name.endswith((".nbi", ".nbc"))}
    assert len(code) == 2
    assert kept == code | {f"{name}.sha256" for name in code}
    assert [*package.rglob("*.nb[ci]")] == before


@needs_numba
def test_the_library_keeps_no_compiled_code_unasked(quick_compiler: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    import mnist_nn

    package = Path(str(mnist_nn.__file__)).parent
    before = [*package.rglob("*.nb[ci]")]
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    parameters_after_an_epoch(settings((3, 2)), compiled=True)
    assert [*package.rglob("*.nb[ci]")] == before


@needs_numba
@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("NUMBA_DISABLE_JIT=1", "NUMBA_DISABLE_JIT switches Numba's compiler off; unset this environment variable"),
        ("NUMBA_DISABLE_JIT=maybe", "its associated value 'maybe' could not be parsed.); correct the environment variables that begin with NUMBA_"),
        ("NUMBA_NUM_THREADS=0", "Number of threads specified must be > 0.); correct the environment variables that begin with NUMBA_"),
        ("NUMBA_NUM_THREADS=-3", "Number of threads specified must be > 0.); correct the environment variables that begin with NUMBA_"),
        ("NUMBA_NUM_THREADS=many", "its associated value 'many' could not be parsed.); correct the environment variables that begin with NUMBA_"),
    ],
)  # fmt: skip
def test_numbas_environment_is_refused_in_one_line(
    variable: str, expected: str, small: Path, nn_process: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """Without the compiler NumPy would run the steps, with other last bits."""
    name, _, value = variable.partition("=")
    process = nn_process(
        "train", small, "--set", "training.compiled=true", "--run-dir", "run", env={**os.environ, name: value}
    )
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.startswith("Error: training.compiled: true: ")
    assert expected in said
    assert said.endswith("or train anew with --set training.compiled=false\n")
    assert said.count("\n") == 1
    assert not Path("run").exists()


@needs_numba
def test_the_library_refuses_steps_that_numba_would_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    with pytest.raises(ConfigError, match="NUMBA_DISABLE_JIT"):
        parameters_after_an_epoch(settings((3, 2)), compiled=True)


def test_deep_networks_are_not_compiled(nn: Command) -> None:
    """The limit is stated beside the key, whether it stands in the file or on the command line."""
    for layers, code in ((32, 0), (33, 2)):
        sizes = "-".join(["784"] + ["10"] * layers)
        outcome = nn("config", "quickstart", "--set", f"network.sizes={sizes}", "--set", "training.compiled=true")
        assert outcome.code == code
    assert outcome.error == (
        "Error: --set training.compiled=true: training.compiled: true: is for networks of at most 32 layers, and this "
        "one has 33: it would compile for minutes; set training.compiled=false"
    )


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
    """run.json records the version of Numba. The costs are close to an uncompiled run's."""
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
    assert {"numba", "scipy", "numpy"} <= json.loads(Path("short/run.json").read_text())["versions"].keys()
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
        "from threadpoolctl import threadpool_info\n"
        "from mnist_nn import Config\n"
        "from mnist_nn.training.workers import Workers\n"
        "from nn_cli.machine import choose_threads\n"
        "with choose_threads(Config.model_validate({'training': {'compiled': True, 'threads': 1}}), Workers()):\n"
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
    assert "training.compiled: true: needs Numba" in outcome.error
    assert "pip install 'numba>=0.61', or train anew with --set training.compiled=false" in outcome.error
    assert not Path("run").exists()
    assert nn("train", small, "--run-dir", "run").code == 0
