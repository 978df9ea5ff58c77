"""Runs survive kills, full disks and denied access: saved files stay whole, and resuming gives the same bits.

A fixed seed chooses the instants of the kills and the system calls that fail. The environment variable NN_LONG=1 tries
200 instants for each signal instead of 20, and every system call of a run instead of some.
"""

import errno
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from crash_child import Children, Order, nn_order

from mnist_nn import load_checkpoint
from mnist_nn.runs.checkpoint import Checkpoint
from mnist_nn.runs.run_directory import RunDirectory

LONG = os.environ.get("NN_LONG") == "1"
CALLS = "openat,write,fsync,fdatasync,close,?ftruncate,?rename,?renameat,?renameat2"
NOBODY = 65534


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    children = Children()
    yield children
    children.close()


@pytest.fixture
def full_config(digits: Path) -> Path:
    """A configuration with everything that a resumed run must restore. It stops early, after about twenty epochs."""
    file = Path("full_config.yaml")
    file.write_text(
        f"""\
data:
  source: idx
  dir: {digits}
  validation: 50
augmentation:
  rotation: 5.0
network:
  sizes: [784, 12, 10]
training:
  epochs: 300
  batch_size: 1
  learning_rate: 0.1
  momentum: 0.5
  schedule: {{name: step, every: 10, factor: 0.8}}
  early_stopping: 6
  gradient_norms: true
  snapshots: 20
"""
    )
    return file


def without_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_seconds(item) for key, item in value.items() if key != "seconds"}
    return value


def checkpoint_bytes(path: Path) -> bytes:
    """The bytes of a checkpoint, which must be readable."""
    load_checkpoint(path)
    return path.read_bytes()


def outcome_of(run: str) -> dict[str, Any]:
    """Everything that a run left behind, without times and dates."""
    path = Path(run)
    description = json.loads((path / "run.json").read_text())
    return {
        "files": sorted(str(file.relative_to(path)) for file in path.rglob("*")),
        "config.yaml": (path / "config.yaml").read_bytes(),
        "metrics.csv": [row.rpartition(",")[0] for row in (path / "metrics.csv").read_text().splitlines()],
        "gradients.csv": (path / "gradients.csv").read_bytes() if (path / "gradients.csv").exists() else None,
        "snapshots": [checkpoint_bytes(file) for file in sorted(path.glob("snapshots/*.safetensors"))],
        "best": checkpoint_bytes(path / "checkpoints/best.safetensors"),
        "last": checkpoint_bytes(path / "checkpoints/last.safetensors"),
        "run.json": without_seconds(
            {key: description[key] for key in ("status", "epochs", "last", "best", "fingerprint", "data")}
        ),
    }


def files_of(run: str) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in Path(run).rglob("*") if file.is_file()}


def last_checkpoint(run: str) -> Checkpoint:
    return load_checkpoint(Path(run, "checkpoints/last.safetensors"))


def temporary_files(run: str) -> list[Path]:
    return list(Path(run).rglob(".*.nn-tmp"))


def error_line() -> str:
    """The only line that the failed child printed."""
    (line,) = Path("err").read_text().splitlines()
    assert line.startswith("Error: ")
    return line


# Instants


ENDS = {  # before the command starts and after it has ended, these signals kill the process
    signal.SIGINT: {130},  # or raise KeyboardInterrupt, because the child does not end with its command
    signal.SIGTERM: {143, -signal.SIGTERM},
    signal.SIGHUP: {129, -signal.SIGHUP},
    signal.SIGKILL: {-signal.SIGKILL},
}


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_runs_killed_at_any_instant_resume_to_identical_results(
    number: signal.Signals, children: Children, full_config: Path
) -> None:
    """Interrupts and resumes a run until it finishes, then starts another, until every instant was tried.

    The signals are SIGINT, SIGTERM, SIGHUP and SIGKILL. All but the last leave time to save the state within an epoch.
    On a busy machine few instants lie there, so up to ten times as many are tried until one does.
    """
    instants = random.Random(number)
    started = time.monotonic()
    assert children.run("train", full_config, "--run-dir", "whole", "--quiet") == 0
    span = (time.monotonic() - started) / 2
    whole = outcome_of("whole")
    assert 10 < len(whole["metrics.csv"]) < 100

    ended, untried, within_an_epoch = 0, 200 if LONG else 20, 0
    more = 0 if number == signal.SIGKILL else 200
    while untried:
        shutil.rmtree("cut", ignore_errors=True)
        finished = False
        while not finished:
            is_begun = Path("cut/run.json").exists()
            before = (last_checkpoint("cut").state.epoch, last_checkpoint("cut").state.step) if is_begun else (0, 0)
            if not is_begun:
                shutil.rmtree("cut", ignore_errors=True)
            where = ["--resume", "cut"] if is_begun else [full_config, "--run-dir", "cut"]
            (pid,) = children.order(nn_order("train", *where, "--quiet"))
            children.go()
            if untried:
                untried -= 1
                time.sleep(instants.uniform(0, span))
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            (code,) = children.exit_codes()
            finished = code == 0
            assert finished or code in ENDS[number], Path("err").read_text()
            assert "Traceback" not in Path("err").read_text()
            if finished or not Path("cut/run.json").exists():
                continue
            ended += 1
            state = last_checkpoint("cut").state
            assert (state.epoch, state.step) >= before
            assert len(RunDirectory(Path("cut")).metrics()) - state.epoch in (0, 1)  # at most one epoch is lost
            within_an_epoch += state.step > 0
            if code > 0:  # it exited by itself
                assert not temporary_files("cut")
        assert outcome_of("cut") == whole
        if not untried and not within_an_epoch and more:
            untried, more = 10, more - 10
    assert ended > 5
    assert (within_an_epoch > 0) == (number != signal.SIGKILL)


# System calls


@contextmanager
def traced(pid: int, *injections: str) -> Iterator[Path]:
    """Let `strace` record the system calls of a process and make some fail. Yields the log."""
    if not shutil.which("strace"):
        pytest.skip("needs the command strace")
    log = Path(f"trace-{pid}").absolute()
    options = [word for injection in injections for word in ("-e", f"inject={injection}")]
    strace = subprocess.Popen(
        ["strace", "-f", "-o", log, "-p", str(pid), "-e", f"trace={CALLS}", *options], stderr=subprocess.PIPE, text=True
    )
    assert strace.stderr
    said = strace.stderr.readline()
    try:
        if "attached" not in said:
            pytest.skip(f"strace may not trace here: {said.strip()}")
        yield log
    finally:
        strace.communicate()


def traced_run(children: Children, order: Order, *injections: str) -> tuple[int, str]:
    """Let a child carry out an order while some system calls fail. Returns its exit code and the log."""
    (pid,) = children.order(order)
    with ExitStack() as stack:
        try:
            log = stack.enter_context(traced(pid, *injections))
        finally:
            children.go()
            (code,) = children.exit_codes()
    return code, log.read_text()


def calls_in(log: str) -> list[str]:
    return re.findall(r"^\d+ +(\w+)\(", log, re.MULTILINE)


FAULTS = {"signal=SIGKILL": -signal.SIGKILL, "error=ENOSPC": errno.ENOSPC, "error=EIO": errno.EIO}
FILES = {"save": "checkpoints/last.safetensors", "append": "metrics.csv", "describe": "run.json"}


def write_order(act: str) -> Order:
    """The order that replaces one file of the half run by the whole run's file."""
    half, whole = RunDirectory(Path("half")), RunDirectory(Path("whole"))
    rows = whole.metrics()[len(half.metrics()) :]
    arguments: dict[str, list[Any]] = {
        "save": [f"half/{FILES[act]}", f"whole/{FILES[act]}"],
        "append": [f"half/{FILES[act]}", list(rows[0]), rows],
        "describe": ["half", whole.description()],
    }
    return {"act": act, "arguments": arguments[act]}


def file_content(act: str) -> object:
    """The file's content as the program reads it. The program refuses a damaged file."""
    half = RunDirectory(Path("half"))
    if act == "save":
        return checkpoint_bytes(half.checkpoint("last"))
    return half.metrics() if act == "append" else half.description()


@pytest.mark.parametrize("act", FILES)
def test_a_file_is_never_half_written_after_any_failure(act: str, children: Children, small: Path) -> None:
    """It is the old file or the new one, no matter which system call fails or is the last one.

    No temporary file stays: after a kill, the next process that holds the run removes it.
    """
    assert children.run("train", small, "--run-dir", "half", "--set", "training.epochs=1", "--quiet") == 0
    assert children.run("train", small, "--run-dir", "whole", "--quiet") == 0
    file, order = Path("half", FILES[act]), write_order(act)
    old_bytes, old = file.read_bytes(), file_content(act)
    code, log = traced_run(children, order)
    assert code == 0
    new = file_content(act)
    assert new != old

    written = [call for call in calls_in(log) if call != "close"]
    if act == "append":
        assert written == ["openat", "write", "fsync"]
    else:  # fsync puts the file on the disk before the rename, and the rename itself after it
        assert re.sub(r"renameat2?", "rename", " ".join(written)) == "openat write fsync rename openat fsync"
        assert re.findall(r'^\d+ +openat\(\w+, "([^"]+)", [^)]*O_DIRECTORY', log, re.MULTILINE) == [str(file.parent)]

    tried: Counter[tuple[str, str]] = Counter()
    states: dict[str, list[object]] = {fault: [] for fault in FAULTS}
    leftovers = 0
    for call in sorted(set(calls_in(log))):
        for fault, effect in FAULTS.items():
            for when in range(1, 20):
                file.write_bytes(old_bytes)
                code, log = traced_run(children, order, f"{call}:{fault}:when={when}")
                now = file_content(act)
                if code == 0:
                    assert now == new
                    break
                tried[call, fault] += 1
                states[fault].append(now)
                assert now in (old, new)
                if effect < 0:
                    assert code == effect
                    assert "+++ killed by SIGKILL +++" in log
                    leftovers += len(temporary_files("half"))
                    with RunDirectory(Path("half")).held():
                        pass
                else:
                    assert "(INJECTED)" in log
                    assert json.loads(Path("err").read_text()) == [effect, str(file)]
                assert not temporary_files("half")
            else:
                pytest.fail(f"{call} never came to an end")
    assert all(tried[call, fault] == calls_in(log).count(call) for call, fault in tried), tried
    assert {call for call, _ in tried} == set(calls_in(log))
    assert all(old in found and new in found for found in states.values())
    assert leftovers > 0 or act == "append"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_resumes_identically_after_any_failed_system_call(fault: str, children: Children, small: Path) -> None:
    """After an error, the run ends with one line and leaves no half of a run behind."""
    settings = ["--set", "training.gradient_norms=true", "--set", "training.early_stopping=2"]
    code, log = traced_run(children, nn_order("train", small, *settings, "--run-dir", "whole", "--quiet"))
    assert code == 0
    whole = outcome_of("whole")
    cases = [(call, when) for call, count in Counter(calls_in(log)).items() for when in range(1, count + 1)]
    printed = [("write", calls_in(log).count("write") - i) for i in range(log.count(" write(1,"))]
    cases = [case for case in cases if case not in printed]  # the final output is not a file of the run
    if not LONG:
        cases = random.Random(fault).sample(cases, 25)

    resumed = 0
    for call, when in cases:
        shutil.rmtree("cut", ignore_errors=True)
        order = nn_order("train", small, *settings, "--run-dir", "cut", "--quiet")
        code, log = traced_run(children, order, f"{call}:{fault}:when={when}")
        what = f"{call} {when}: {code} {Path('err').read_text()}"
        if fault == "signal=SIGKILL":
            assert code == FAULTS[fault], what
        else:
            assert "(INJECTED)" in log, what
            assert code in (0, 1, 2), what  # lookups may fail without harm, reading the configuration may not
            if code:
                # a failed close of a file that is only read names no file
                place = "" if call == "close" else r"[^\n]+: "
                assert re.fullmatch(rf"Error: {place}[^\n]+\n", Path("err").read_text()), what
            assert not temporary_files("cut"), what
        if Path("cut/run.json").exists():
            assert children.run("train", "--resume", "cut", "--quiet") == 0, what
            assert outcome_of("cut") == whole, what
            resumed += 1
        elif fault == "signal=SIGKILL" and Path("cut").exists():
            assert children.run("train", "--resume", "cut") == 1
            assert error_line() == "Error: cut: is not a run directory (it holds no run.json)"
        else:
            assert not Path("cut").exists(), what  # no half of a run is left behind
    assert resumed > len(cases) / 3


# Limits


def test_a_run_resumes_identically_after_hitting_the_file_limit(
    children: Children,
) -> None:
    """The run ends with one line of error when a file may not grow any more."""
    settings = ["--set", "training.epochs=80", "--set", "training.gradient_norms=true", "--quiet"]
    assert children.run("train", "chain", *settings, "--run-dir", "whole") == 0
    assert children.run("train", "chain", *settings, "--run-dir", "cut", file_limit=6000) == 1
    assert error_line() == (
        "Error: cut/gradients.csv: File too large; everything saved before is intact; solve the problem, "
        "then continue with `nn train --resume cut`"
    )
    assert Path("cut/gradients.csv").stat().st_size == 6000  # ends within a row
    assert 0 < last_checkpoint("cut").state.epoch < 80
    assert not temporary_files("cut")
    assert children.run("train", "--resume", "cut") == 0
    assert outcome_of("cut") == outcome_of("whole")


def test_no_run_remains_if_the_first_checkpoint_does_not_fit(children: Children, small: Path) -> None:
    assert children.run("train", small, "--run-dir", "runs/cut", file_limit=20_000) == 1
    assert error_line().startswith("Error: runs/cut/checkpoints/last.safetensors: File too large")
    assert list(Path("runs").iterdir()) == []


@contextmanager
def mounted(path: Path, *options: str) -> Iterator[None]:
    """Mount a separate file system on a new directory, if the system allows it."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(path)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_keeps_saved_files_and_no_others(children: Children) -> None:
    """The run ends with one line of error. Copied to a disk with room, it resumes to identical results."""
    wide = ["--set", "network={sizes: [1, 1500, 1]}", "--set", "dtype=float32", "--set", "training.epochs=5", "--quiet"]
    assert children.run("train", "chain", *wide, "--run-dir", "whole") == 0
    with mounted(Path("disk"), "size=64k"):
        assert children.run("train", "chain", *wide, "--run-dir", "disk/cut") == 1
        assert "disk/cut/checkpoints/last.safetensors: No space left on device; everything saved" in error_line()
        assert (last_checkpoint("disk/cut").state.epoch, last_checkpoint("disk/cut").state.best) == (0, None)
        assert load_checkpoint(Path("disk/cut/checkpoints/best.safetensors")).state.epoch == 1
        assert len(RunDirectory(Path("disk/cut")).metrics()) == 1
        assert not temporary_files("disk")
        assert children.run("train", "--resume", "disk/cut", "--quiet") == 1  # the disk is still full
        assert "No space left on device" in error_line()
        assert not temporary_files("disk")
        shutil.copytree("disk/cut", "cut")
        assert children.run("train", "chain", *wide, "--run-dir", "disk/two") == 1
        assert "No space left on device" in error_line()
        assert not Path("disk/two").exists()
    assert children.run("train", "--resume", "cut", "--quiet") == 0
    assert outcome_of("cut") == outcome_of("whole")


def test_a_disk_too_small_for_one_checkpoint_stays_empty(children: Children, small: Path) -> None:
    """The error names the file."""
    with mounted(Path("disk"), "size=64k"):
        assert children.run("train", small, "--set", "network.sizes=[784, 30, 10]", "--run-dir", "disk/run") == 1
        assert error_line().startswith("Error: disk/run/checkpoints/last.safetensors: No space left on device")
        assert list(Path("disk").iterdir()) == []


def test_a_read_only_disk_is_reported(children: Children) -> None:
    with mounted(Path("disk"), "ro"):
        assert children.run("train", "chain", "--run-dir", "disk/run") == 1
    assert error_line() == (
        "Error: disk/run: the run directory cannot be made: Read-only file system; choose another with --run-dir"
    )


# Permissions


@pytest.fixture
def program_readable_by_everybody() -> None:
    """Skip unless another user can read the installed program, too."""
    place = Path(str(files("nn_configs"))).resolve()
    closed = [folder for folder in (place, *place.parents) if not folder.stat().st_mode & stat.S_IXOTH]
    if os.getuid() == 0 and closed:
        pytest.skip(f"needs the program where everybody may read it: {closed[-1]} is closed to others")


@pytest.mark.usefixtures("program_readable_by_everybody")
def test_a_directory_without_write_permission_is_reported(children: Children) -> None:
    rights = {"user": NOBODY} if os.getuid() == 0 else {}  # root may write anywhere
    Path("theirs").mkdir(mode=0o555)
    assert children.run("train", "chain", "--run-dir", "theirs/run", **rights) == 1
    assert error_line() == (
        "Error: theirs/run: the run directory cannot be made: Permission denied; choose another with --run-dir"
    )


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.usefixtures("program_readable_by_everybody")
def test_another_users_run_is_not_resumed(children: Children) -> None:
    assert children.run("train", "chain", "--run-dir", "run", "--set", "training.epochs=2", "--quiet") == 0
    before = files_of("run")
    assert children.run("train", "--resume", "run", "--set", "training.epochs=4", user=NOBODY) == 1
    assert re.fullmatch(r"Error: run(/.lock)?: Permission denied", error_line())
    assert files_of("run") == before


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.usefixtures("program_readable_by_everybody")
def test_another_users_unreadable_digits_are_reported(children: Children, digits: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:  # unlike `tmp_path`, others may enter it
        theirs = Path(directory, "theirs")
        shutil.copytree(digits, theirs)
        for place in (Path(directory), theirs):
            place.chmod(0o777)
        for file in theirs.iterdir():
            file.chmod(0o600)
        run = Path(directory, "run")
        options = ["--set", "data.source=idx", "--data-dir", theirs, "--run-dir", run, "--quiet"]
        assert children.run("train", "quickstart", *options, user=NOBODY) == 1
        assert error_line() == f"Error: {theirs}/train-images-idx3-ubyte.gz: cannot be read: Permission denied"
        assert not run.exists()


# Many processes at once


def test_twenty_simultaneous_runs_get_separate_directories_and_finish(children: Children) -> None:
    children.order(*(nn_order("train", "chain", "--quiet", out=f"out{i}", err=f"err{i}") for i in range(20)))
    children.go()
    assert children.exit_codes() == [0] * 20
    runs = list(Path("runs").iterdir())
    assert len(runs) == 20
    assert {f"run          {run}" for run in runs} == {Path(f"out{i}").read_text().splitlines()[1] for i in range(20)}
    assert len({json.loads((run / "run.json").read_text())["fingerprint"] for run in runs}) == 1
    assert not temporary_files("runs")


def test_only_one_of_twenty_runs_gets_the_same_directory(children: Children) -> None:
    children.order(
        *(nn_order("train", "chain", "--quiet", "--run-dir", "run", out=f"out{i}", err=f"err{i}") for i in range(20))
    )
    children.go()
    assert sorted(children.exit_codes()) == [0] + [1] * 19
    lines = [Path(f"err{i}").read_text() for i in range(20)]
    assert sorted(line[:28] for line in lines) == [""] + ["Error: run: exists already, "] * 19
    assert json.loads(Path("run/run.json").read_text())["status"] == "finished"
