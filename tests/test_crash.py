"""Whatever kills a run, starves it or denies it, what it had saved is whole, and resuming ends in the same bits.

Instants, and the system calls of a whole run that are made to fail, are drawn with a fixed seed. The environment variable
NN_LONG=1 tries 200 instants for each signal instead of 20, and every call of a run instead of some.
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
def eventful(digits: Path) -> Path:
    """A configuration with all that a resumed run has to take up again; it stops early, after some twenty epochs."""
    file = Path("eventful.yaml")
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
"""
    )
    return file


def without_seconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_seconds(item) for key, item in value.items() if key != "seconds"}
    return value


def checkpoint_bytes(path: Path) -> bytes:
    """Those of a checkpoint that can be read."""
    load_checkpoint(path)
    return path.read_bytes()


def outcome_of(run: str) -> dict[str, Any]:
    """All that a run left behind, without times and the day."""
    path = Path(run)
    description = json.loads((path / "run.json").read_text())
    return {
        "files": sorted(str(file.relative_to(path)) for file in path.rglob("*")),
        "config.yaml": (path / "config.yaml").read_bytes(),
        "metrics.csv": [row.rpartition(",")[0] for row in (path / "metrics.csv").read_text().splitlines()],
        "gradients.csv": (path / "gradients.csv").read_bytes() if (path / "gradients.csv").exists() else None,
        "best": checkpoint_bytes(path / "checkpoints/best.safetensors"),
        "last": checkpoint_bytes(path / "checkpoints/last.safetensors"),
        "run.json": without_seconds(
            {key: description[key] for key in ("status", "epochs", "last", "best", "fingerprint", "data")}
        ),
    }


def files_of(run: str) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in Path(run).rglob("*") if file.is_file()}


def last(run: str) -> Checkpoint:
    return load_checkpoint(Path(run, "checkpoints/last.safetensors"))


def temporaries(run: str) -> list[Path]:
    return list(Path(run).rglob(".*.tmp"))


def error_line() -> str:
    """The one line of the failed child."""
    (line,) = Path("err").read_text().splitlines()
    assert line.startswith("Error: ")
    return line


# Instants


ENDS = {  # at the start Ctrl-C ends the command in good order, and SIGTERM as the system does
    signal.SIGINT: {130},
    signal.SIGTERM: {143, -signal.SIGTERM},
    signal.SIGKILL: {-signal.SIGKILL},
}


@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_runs_ended_by_signals_at_any_instant_and_resumed_end_in_the_same_bits(
    number: signal.Signals, children: Children, eventful: Path
) -> None:
    """A run is ended and resumed again and again until it finishes; then comes the next, until all instants were tried."""
    instants = random.Random(number)
    started = time.monotonic()
    assert children.run("train", eventful, "--run-dir", "whole", "--quiet") == 0
    span = (time.monotonic() - started) / 2
    whole = outcome_of("whole")
    assert 10 < len(whole["metrics.csv"]) < 100

    ended, untried, within_an_epoch = 0, 200 if LONG else 20, 0
    while untried:
        shutil.rmtree("cut", ignore_errors=True)
        finished = False
        while not finished:
            is_begun = Path("cut/run.json").exists()
            before = (last("cut").state.epoch, last("cut").state.step) if is_begun else (0, 0)
            if not is_begun:
                shutil.rmtree("cut", ignore_errors=True)
            where = ["--resume", "cut"] if is_begun else [eventful, "--run-dir", "cut"]
            (pid,) = children.order(nn_order("train", *where, "--quiet"))
            children.go()
            if untried:
                untried -= 1
                time.sleep(instants.uniform(0, span))
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            (code,) = children.codes()
            finished = code == 0
            assert finished or code in ENDS[number], Path("err").read_text()
            assert "Traceback" not in Path("err").read_text()
            if finished or not Path("cut/run.json").exists():
                continue
            ended += 1
            state = last("cut").state
            assert (state.epoch, state.step) >= before
            assert len(RunDirectory(Path("cut")).metrics()) - state.epoch in (0, 1)  # no more than an epoch is lost
            within_an_epoch += state.step > 0
            if code > 0:  # it ended by itself
                assert not temporaries("cut")
        assert outcome_of("cut") == whole
    assert ended > 5
    assert (within_an_epoch > 0) == (number != signal.SIGKILL)  # which alone cannot save the state


# System calls


@contextmanager
def traced(pid: int, *injections: str) -> Iterator[Path]:
    """Have `strace` note the calls of a process, and make some fail. Yields the log."""
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
    """Let a child carry out an order while some calls are made to fail. Returns its exit code and the log."""
    (pid,) = children.order(order)
    with ExitStack() as stack:
        try:
            log = stack.enter_context(traced(pid, *injections))
        finally:
            children.go()
            (code,) = children.codes()
    return code, log.read_text()


def calls_in(log: str) -> list[str]:
    return re.findall(r"^\d+ +(\w+)\(", log, re.MULTILINE)


FAULTS = {"signal=SIGKILL": -signal.SIGKILL, "error=ENOSPC": errno.ENOSPC, "error=EIO": errno.EIO}
FILES = {"save": "checkpoints/last.safetensors", "append": "metrics.csv", "describe": "run.json"}


def write_order(act: str) -> Order:
    """What makes of the first half of a run the whole of one of its files."""
    half, whole = RunDirectory(Path("half")), RunDirectory(Path("whole"))
    rows = whole.metrics()[len(half.metrics()) :]
    arguments: dict[str, list[Any]] = {
        "save": [f"half/{FILES[act]}", f"whole/{FILES[act]}"],
        "append": [f"half/{FILES[act]}", list(rows[0]), rows],
        "describe": ["half", whole.description()],
    }
    return {"act": act, "arguments": arguments[act]}


def content(act: str) -> object:
    """What the program reads of the file; it refuses a damaged one."""
    half = RunDirectory(Path("half"))
    if act == "save":
        return checkpoint_bytes(half.checkpoint("last"))
    return half.metrics() if act == "append" else half.description()


@pytest.mark.parametrize("act", FILES)
def test_a_file_is_old_or_new_whichever_system_call_of_its_writing_fails_or_is_the_last(
    act: str, children: Children, small: Path
) -> None:
    assert children.run("train", small, "--run-dir", "half", "--set", "training.epochs=1", "--quiet") == 0
    assert children.run("train", small, "--run-dir", "whole", "--quiet") == 0
    file, order = Path("half", FILES[act]), write_order(act)
    old_bytes, old = file.read_bytes(), content(act)
    code, log = traced_run(children, order)
    assert code == 0
    new = content(act)
    assert new != old

    written = [call for call in calls_in(log) if call != "close"]
    if act == "append":
        assert written == ["openat", "write", "fsync"]
    else:  # what is renamed is on the disk before, and the renaming after
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
                now = content(act)
                if code == 0:
                    assert now == new
                    break
                tried[call, fault] += 1
                states[fault].append(now)
                assert now in (old, new)
                if effect < 0:
                    assert code == effect
                    assert "+++ killed by SIGKILL +++" in log
                    leftovers += len(temporaries("half"))
                    with RunDirectory(Path("half")).held():
                        pass
                else:
                    assert "(INJECTED)" in log
                    assert json.loads(Path("err").read_text()) == [effect, str(file)]
                assert not temporaries("half")
            else:
                pytest.fail(f"{call} never came to an end")
    assert all(tried[call, fault] == calls_in(log).count(call) for call, fault in tried), tried
    assert {call for call, _ in tried} == set(calls_in(log))
    assert all(old in found and new in found for found in states.values())
    assert leftovers > 0 or act == "append"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_ended_by_a_failing_system_call_and_resumed_ends_in_the_same_bits(
    fault: str, children: Children, small: Path
) -> None:
    settings = ["--set", "training.gradient_norms=true", "--set", "training.early_stopping=2"]
    code, log = traced_run(children, nn_order("train", small, *settings, "--run-dir", "whole", "--quiet"))
    assert code == 0
    whole = outcome_of("whole")
    cases = [(call, when) for call, count in Counter(calls_in(log)).items() for when in range(1, count + 1)]
    printed = [("write", calls_in(log).count("write") - i) for i in range(log.count(" write(1,"))]
    cases = [case for case in cases if case not in printed]  # what is said in the end is no file of the run
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
            assert code in (0, 1, 2), what  # what is only looked up may be missing; the configuration may not
            if code:
                place = "" if call == "close" else r"[^\n]+: "  # of what is only read
                assert re.fullmatch(rf"Error: {place}[^\n]+\n", Path("err").read_text()), what
            assert not temporaries("cut"), what
        if Path("cut/run.json").exists():
            assert children.run("train", "--resume", "cut", "--quiet") == 0, what
            assert outcome_of("cut") == whole, what
            resumed += 1
        elif fault == "signal=SIGKILL" and Path("cut").exists():
            assert children.run("train", "--resume", "cut") == 1
            assert error_line() == "Error: cut: is not a run directory (it holds no run.json)"
        else:
            assert not Path("cut").exists(), what  # half a run is not left behind
    assert resumed > len(cases) / 2


# Limits


def test_a_file_that_may_not_grow_any_more_ends_a_run_in_one_line_and_what_it_saved_resumes_to_the_same_bits(
    children: Children,
) -> None:
    settings = ["--set", "training.epochs=80", "--set", "training.gradient_norms=true", "--quiet"]
    assert children.run("train", "chain", *settings, "--run-dir", "whole") == 0
    assert children.run("train", "chain", *settings, "--run-dir", "cut", file_limit=6000) == 1
    assert error_line() == (
        "Error: cut/gradients.csv: File too large; nothing that was saved before is lost: when that is mended, "
        "go on with `nn train --resume cut`"
    )
    assert Path("cut/gradients.csv").stat().st_size == 6000  # a part of a row
    assert 0 < last("cut").state.epoch < 80
    assert not temporaries("cut")
    assert children.run("train", "--resume", "cut") == 0
    assert outcome_of("cut") == outcome_of("whole")


def test_a_first_checkpoint_that_does_not_fit_leaves_no_run_behind(children: Children, small: Path) -> None:
    assert children.run("train", small, "--run-dir", "runs/cut", file_limit=20_000) == 1
    assert error_line().startswith("Error: runs/cut/checkpoints/last.safetensors: File too large")
    assert list(Path("runs").iterdir()) == []


@contextmanager
def mounted(path: Path, *options: str) -> Iterator[None]:
    """A file system of its own on a new directory, where the system lets us."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(path)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_ends_a_run_in_one_line_and_leaves_its_files_and_no_others(children: Children) -> None:
    wide = ["--set", "network={sizes: [1, 1500, 1]}", "--set", "dtype=float32", "--set", "training.epochs=5", "--quiet"]
    assert children.run("train", "chain", *wide, "--run-dir", "whole") == 0
    with mounted(Path("disk"), "size=64k"):
        assert children.run("train", "chain", *wide, "--run-dir", "disk/cut") == 1
        assert "disk/cut/checkpoints/last.safetensors: No space left on device; nothing" in error_line()
        assert (last("disk/cut").state.epoch, last("disk/cut").state.best) == (0, None)
        assert load_checkpoint(Path("disk/cut/checkpoints/best.safetensors")).state.epoch == 1
        assert len(RunDirectory(Path("disk/cut")).metrics()) == 1
        assert not temporaries("disk")
        assert children.run("train", "--resume", "disk/cut", "--quiet") == 1  # there is no more room than before
        assert "No space left on device" in error_line()
        assert not temporaries("disk")
        shutil.copytree("disk/cut", "cut")
        assert children.run("train", "chain", *wide, "--run-dir", "disk/two") == 1
        assert "No space left on device" in error_line()
        assert not Path("disk/two").exists()
    assert children.run("train", "--resume", "cut", "--quiet") == 0
    assert outcome_of("cut") == outcome_of("whole")


def test_a_disk_without_room_for_one_checkpoint_is_named_and_left_as_it_was(children: Children, small: Path) -> None:
    with mounted(Path("disk"), "size=64k"):
        assert children.run("train", small, "--set", "network.sizes=[784, 30, 10]", "--run-dir", "disk/run") == 1
        assert error_line().startswith("Error: disk/run/checkpoints/last.safetensors: No space left on device")
        assert list(Path("disk").iterdir()) == []


def test_a_disk_that_is_read_only_is_named(children: Children) -> None:
    with mounted(Path("disk"), "ro"):
        assert children.run("train", "chain", "--run-dir", "disk/run") == 1
    assert error_line() == (
        "Error: disk/run: the run directory cannot be made: Read-only file system; choose another with --run-dir"
    )


# Rights


@pytest.fixture
def everybody_may_read_the_program() -> None:
    """Whoever root becomes must still be able to load the recipes."""
    place = Path(str(files("nn_configs"))).resolve()
    closed = [folder for folder in (place, *place.parents) if not folder.stat().st_mode & stat.S_IXOTH]
    if os.getuid() == 0 and closed:
        pytest.skip(f"needs the program where everybody may read it: {closed[-1]} is closed to others")


@pytest.mark.usefixtures("everybody_may_read_the_program")
def test_a_directory_in_which_one_may_not_write_is_named(children: Children) -> None:
    rights = {"user": NOBODY} if os.getuid() == 0 else {}  # what is forbidden does not bind root
    Path("theirs").mkdir(mode=0o555)
    assert children.run("train", "chain", "--run-dir", "theirs/run", **rights) == 1
    assert error_line() == (
        "Error: theirs/run: the run directory cannot be made: Permission denied; choose another with --run-dir"
    )


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.usefixtures("everybody_may_read_the_program")
def test_a_run_of_somebody_else_is_not_continued(children: Children) -> None:
    assert children.run("train", "chain", "--run-dir", "run", "--set", "training.epochs=2", "--quiet") == 0
    before = files_of("run")
    assert children.run("train", "--resume", "run", "--set", "training.epochs=4", user=NOBODY) == 1
    assert re.fullmatch(r"Error: run(/.lock)?: Permission denied", error_line())
    assert files_of("run") == before


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.usefixtures("everybody_may_read_the_program")
def test_digits_of_somebody_else_that_may_not_be_read_are_named(children: Children, digits: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:  # unlike `tmp_path`, open to everybody once it is told to be
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


# Many


def test_twenty_runs_started_at_once_have_a_directory_each_and_all_finish(children: Children) -> None:
    children.order(*(nn_order("train", "chain", "--quiet", out=f"out{i}", err=f"err{i}") for i in range(20)))
    children.go()
    assert children.codes() == [0] * 20
    runs = list(Path("runs").iterdir())
    assert len(runs) == 20
    assert {f"run          {run}" for run in runs} == {Path(f"out{i}").read_text().splitlines()[1] for i in range(20)}
    assert len({json.loads((run / "run.json").read_text())["fingerprint"] for run in runs}) == 1
    assert not temporaries("runs")


def test_of_twenty_that_want_the_same_directory_one_gets_it(children: Children) -> None:
    children.order(
        *(nn_order("train", "chain", "--quiet", "--run-dir", "run", out=f"out{i}", err=f"err{i}") for i in range(20))
    )
    children.go()
    assert sorted(children.codes()) == [0] + [1] * 19
    lines = [Path(f"err{i}").read_text() for i in range(20)]
    assert sorted(line[:28] for line in lines) == [""] + ["Error: run: exists already, "] * 19
    assert json.loads(Path("run/run.json").read_text())["status"] == "finished"
