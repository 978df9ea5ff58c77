"""Ctrl-C, SIGTERM and SIGHUP end a command quietly and leave nothing half written. What is ignored stays ignored.

The environment variable NN_LONG=1 tries 200 instants for each signal instead of 20.
"""

import json
import os
import pty
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Command

LONG = os.environ.get("NN_LONG") == "1"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
each_signal = pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)

# Says so when Python's own start is over, because Ctrl-C before that is not the command's to handle.
LOADED = "from nn_cli.__main__ import main; print('loaded', flush=True); main()"

# Sends the process a signal as soon as a file is to be synced or renamed.
STRUCK = """
import os, signal, sys
number, call = int(sys.argv.pop(1)), sys.argv.pop(1)
def struck(*arguments, done=getattr(os, call)):
    if b".nn-tmp" in os.fsencode(arguments[0] if call == "replace" else os.readlink(f"/proc/self/fd/{arguments[0]}")):
        signal.raise_signal(number)
    return done(*arguments)
setattr(os, call, struck)
from nn_cli.__main__ import main
main()
"""


def python(*arguments: object, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@each_signal
def test_a_signal_at_any_instant_shows_no_traceback(number: signal.Signals) -> None:
    """From the first line of the entry point to the end of the process."""

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", LOADED, "config"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout
        assert process.stdout.readline() == "loaded\n"
        return process

    process, started = start(), time.monotonic()
    process.communicate()
    span = time.monotonic() - started
    instants, codes = random.Random(number), []
    for _ in range(200 if LONG else 20):
        process = start()
        time.sleep(instants.uniform(0, span))
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        assert err in ("", f"Error: interrupted by {number.name}\n"), err
        assert process.returncode in (128 + number, -number, 0)
        codes.append(process.returncode)
    assert 128 + number in codes


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("option", ["--html", "--save", "--misread", "--preview-augmentation"])
@each_signal
def test_a_signal_while_writing_leaves_no_file(
    number: signal.Signals, option: str, call: str, nn: Command, small: Path
) -> None:
    commands = {
        "--html": ["inspect-gradients", "chain", "--init", "--html", "file"],
        "--save": ["inspect-gradients", "chain", "--init", "--save", "file"],
        "--misread": ["evaluate", "run", "--misread", "file"],
        "--preview-augmentation": ["train", small, "--set=augmentation.rotation=5", "--preview-augmentation", "file"],
    }
    if option == "--misread":
        assert nn("train", small, "--run-dir", "run", "--quiet", "--set", "training.epochs=1").code == 0
    before = sorted(Path().rglob("*"))
    done = python("-c", STRUCK, int(number), call, *commands[option])
    assert done.returncode == 128 + number
    assert done.stderr == f"Error: interrupted by {number.name}\n"
    assert sorted(Path().rglob("*")) == before


@each_signal
def test_a_signal_while_a_run_begins_leaves_no_temporary_file(number: signal.Signals) -> None:
    done = python("-c", STRUCK, int(number), "fsync", "train", "chain", "--run-dir", "run", "--quiet")
    assert (done.returncode, done.stderr) == (128 + number, f"Error: interrupted by {number.name}\n")
    assert list(Path().iterdir()) == []


@each_signal
def test_a_signal_that_the_parent_ignores_stays_ignored(
    number: signal.Signals, nn_process: Callable[..., "subprocess.Popen[str]"]
) -> None:
    """As with `nohup`, or `&` in a script. While it starts and while it trains."""
    process = nn_process(
        "train", "chain", "--set", "training.epochs=100000", "--run-dir", "run",
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
    )  # fmt: skip
    metrics = Path("run/metrics.csv")
    deadline = time.monotonic() + 60

    def rows() -> int:
        return metrics.read_text().count("\n") if metrics.exists() else 0

    while rows() < 10:
        process.send_signal(number)
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    before = rows()
    while rows() < before + 10:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    other = SIGNALS[SIGNALS.index(number) - 1]
    process.send_signal(other)
    process.communicate(timeout=60)
    assert process.returncode == 128 + other
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"


@each_signal
def test_an_interruption_that_python_drops_still_ends_the_process(number: signal.Signals) -> None:
    program = (
        "import signal\n"
        "from nn_cli.interruption import catch_signals\n"
        "class Dropping:\n"
        f"    def __del__(self): signal.raise_signal({int(number)})\n"
        "with catch_signals(at_once=True): Dropping()\n"
        "print('went on')\n"
    )
    done = python("-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")


def test_an_interruption_stays_one_if_a_library_renames_it(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Pydantic's compiled part does, and the Python 3.11 that makes RuntimeError of any error in `__set_name__`."""

    def rename(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException as error:
            raise RuntimeError("something else") from error

    monkeypatch.setattr("mnist_nn.configuration.writer.to_yaml", rename)
    outcome = nn("config")
    assert (outcome.code, outcome.err) == (143, "Error: interrupted by SIGTERM\n")


def test_catching_signals_restores_what_was_before() -> None:
    from nn_cli.interruption import Interrupted, catch_signals

    def handlers() -> list[object]:
        return [*map(signal.getsignal, SIGNALS), sys.unraisablehook]

    def command() -> None:
        with catch_signals(at_once=True):
            with catch_signals() as caught:
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGTERM)
            assert caught.signal == signal.SIGHUP
            signal.raise_signal(signal.SIGHUP)  # an echo, also after training
            caught.time -= 2
            signal.raise_signal(signal.SIGHUP)

    before = handlers()
    with pytest.raises(Interrupted):
        command()
    assert handlers() == before


@pytest.mark.parametrize("module", ["nn_cli", "nn_cli.main"])
def test_the_package_runs_as_a_module(module: str) -> None:
    done = python("-m", module, "--version")
    assert done.stdout.startswith("nn ")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("megabytes", [24, 32, 40, 48])
def test_too_little_memory_to_load_is_one_line(megabytes: int) -> None:
    limit = megabytes << 20
    done = python(
        "-m", "nn_cli", "inspect-gradients", "chain", "--init",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "memory" in line


def test_no_environment_variable_changes_the_progress_bar() -> None:
    """tqdm takes defaults from variables TQDM_…, and a bad one would end the command."""
    bad = {"NCOLS": "abc", "MININTERVAL": "x", "FILE": "y", "BAR_FORMAT": "{nope}", "POSITION": "q", "GUI": "1"}
    here, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "nn_cli", "train", "chain", "--set", "training.epochs=2"],
        env={**os.environ, **{f"TQDM_{name}": value for name, value in bad.items()}},
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=False,
    )
    os.close(terminal)
    shown = os.read(here, 100_000).decode()
    os.close(here)
    assert done.returncode == 0, shown
    assert "2/2" in shown
    assert "Error" not in shown


@each_signal
def test_an_interruption_that_a_library_drops_is_not_lost(number: signal.Signals) -> None:
    """Compilers and extension modules may drop an exception while they load. The command still ends."""
    from nn_cli.interruption import Interrupted, catch_signals

    reached: list[str] = []

    def command() -> None:
        with catch_signals(at_once=True):
            with suppress(Interrupted):
                signal.raise_signal(number)
            reached.append("loaded")
            with catch_signals():
                reached.append("training")

    with pytest.raises(Interrupted) as raised:
        command()
    assert raised.value.signal == number
    assert reached == ["loaded"]
    with pytest.raises(Interrupted), catch_signals(at_once=True), suppress(Interrupted):
        signal.raise_signal(number)
