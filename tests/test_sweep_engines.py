"""A sweep on Dask and on MPI gives the bits that it gives on one machine, and a fault is one line.

The tests start the `dask` and `mpiexec` that are installed beside Python.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, Outcome

SCRIPTS = Path(sys.executable).parent
LIMIT = 90  # seconds for one command
LAUNCHER = {  # what the launchers need as root and on few cores
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
PLAN = ("small.yaml", "--grid", "training.learning_rate=0.01,0.5", "--seeds", "2", "--set", "training.epochs=60")

needs_mpi = pytest.mark.skipif(
    find_spec("mpi4py") is None or not (SCRIPTS / "mpiexec").exists(), reason="needs MPI: pip install mpi4py mpich"
)
needs_dask = pytest.mark.skipif(find_spec("distributed") is None, reason="needs Dask: pip install distributed")


def start(*command: object, cwd: Path | None = None, **environment: str) -> "subprocess.Popen[str]":
    """Start a command that is installed beside Python, in a session of its own."""
    words = [str(SCRIPTS / str(command[0])), *map(str, command[1:])]
    return subprocess.Popen(
        words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | LAUNCHER | environment,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> Outcome:
    out, err = process.communicate(timeout=LIMIT)
    return Outcome(process.returncode, out, err)


def results(sweep: Path | str) -> dict[str, tuple[str, str]]:
    """Status and fingerprint of each trial, by its name."""
    described = {file.parent.name: json.loads(file.read_text()) for file in Path(sweep).glob("[!.]*/run.json")}
    return {name: (values["status"], values.get("fingerprint", "")) for name, values in described.items()}


def wait_until_training(process: "subprocess.Popen[str]", sweep: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not any(file.read_text().count("\n") > 4 for file in Path(sweep).glob("[!.]*/metrics.csv")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """A directory with small.yaml, and with its sweep on local processes."""
    directory = tmp_path_factory.mktemp("swept")
    (directory / "small.yaml").write_text(
        f"data: {{source: idx, dir: {digits}, validation: 50}}\n"
        "network: {sizes: [784, 12, 10]}\n"
        "training: {batch_size: 1, momentum: 0.5, schedule: constant}\n"
    )
    outcome = finish(start("nn", "sweep", *PLAN, "--name", "local", "--quiet", cwd=directory))
    assert outcome.code == 0, outcome.err
    return directory


@pytest.fixture
def expected(swept: Path) -> dict[str, tuple[str, str]]:
    """The results on local processes. The configuration is in this test's directory."""
    Path("small.yaml").write_bytes((swept / "small.yaml").read_bytes())
    found = results(swept / "sweeps/local")
    assert {status for status, _ in found.values()} == {"finished"}
    assert len(found) == 4
    return found


# MPI


@needs_mpi
def test_mpi_gives_the_bits_of_local_processes(expected: dict[str, Any]) -> None:
    """And one voice. Process 0 hands out the trials, and the others train."""
    outcome = finish(start("mpiexec", "-n", 3, SCRIPTS / "nn", "sweep", *PLAN, "--on", "mpi", "--name", "a"))
    assert outcome.code == 0, outcome.err
    assert results("sweeps/a") == expected
    assert outcome.out.count("best    learning_rate 0.5: ") == 1
    assert outcome.err.count("trials   4 trials: 2 settings × 2 seeds\n") == 1


@needs_mpi
def test_mpi_stops_at_a_signal_and_resumes_locally(expected: dict[str, Any], nn: Command) -> None:
    process = start("mpiexec", "-n", 2, SCRIPTS / "nn", "sweep", *PLAN, "--on", "mpi", "--name", "a")
    wait_until_training(process, "sweeps/a")
    os.killpg(process.pid, signal.SIGINT)
    outcome = finish(process)
    assert outcome.code != 0
    assert "Traceback" not in outcome.err
    assert results("sweeps/a") != expected
    assert nn("sweep", "--resume", "a", "--quiet").code == 0
    assert results("sweeps/a") == expected


@needs_mpi
@pytest.mark.parametrize(
    ("arguments", "code", "expected_error"),
    [
        (
            ["chain", "--on", "mpi", "--grid", "training.lr=1"],
            2,
            "Error: grid training.lr=1: training.lr: unknown key; did you mean training.learning_rate?",
        ),
        (
            ["chain"],
            2,
            "Error: --on local: each of 2 processes would run the sweep; add --on mpi (see `nn sweep --help`)",
        ),
    ],
)
def test_a_mistake_under_mpi_is_told_once(arguments: list[str], code: int, expected_error: str) -> None:
    outcome = finish(start("mpiexec", "-n", 2, SCRIPTS / "nn", "sweep", *arguments))
    assert outcome.code == code
    assert [line for line in outcome.err.splitlines() if "Error" in line] == [expected_error]
    assert not Path("sweeps").exists()


# Dask


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers in processes of their own."""
    directory = tmp_path_factory.mktemp("dask")
    file = directory / "scheduler.json"
    parts = [_start_quietly(directory, "scheduler", "--host", "127.0.0.1", "--port", 0, "--scheduler-file", file)]
    try:
        deadline = time.monotonic() + LIMIT
        while not file.exists():
            assert parts[0].poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.1)  # the file is written in place
        address = json.loads(file.read_text())["address"]
        worker = ("worker", address, "--nthreads", 1, "--local-directory", directory)
        parts += [_start_quietly(directory, *worker) for _ in range(2)]
        yield address.removeprefix("tcp://")
    finally:
        for part in reversed(parts):
            os.killpg(part.pid, signal.SIGKILL)
            part.wait()


def _start_quietly(directory: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    words = [str(SCRIPTS / "dask"), *map(str, arguments), "--no-dashboard"]
    nothing = subprocess.DEVNULL
    return subprocess.Popen(words, cwd=directory, stdout=nothing, stderr=nothing, start_new_session=True)


@needs_dask
def test_dask_gives_the_bits_of_local_processes(expected: dict[str, Any], scheduler: str) -> None:
    outcome = finish(start("nn", "sweep", *PLAN, "--on", f"dask://{scheduler}", "--name", "a"))
    assert outcome.code == 0, outcome.err
    assert results("sweeps/a") == expected
    assert "best    learning_rate 0.5: " in outcome.out
    assert "trials   4 trials: 2 settings × 2 seeds\n" in outcome.err
    assert "Traceback" not in outcome.err


@needs_dask
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_stopped_dask_sweep_is_finished_by_local_processes(
    number: signal.Signals, expected: dict[str, Any], scheduler: str
) -> None:
    process = start("nn", "sweep", *PLAN, "--on", f"dask://{scheduler}", "--name", "a", "--quiet")
    wait_until_training(process, "sweeps/a")
    os.killpg(process.pid, number)
    outcome = finish(process)
    if number == signal.SIGINT:
        assert outcome.code == 130
        assert outcome.err.endswith("Continue with:\n  nn sweep --resume a\n")
    resumed = finish(start("nn", "sweep", "--resume", "a", "--quiet"))
    assert resumed.code == 0, resumed.err
    assert results("sweeps/a") == expected
