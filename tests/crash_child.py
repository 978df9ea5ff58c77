"""Children to be killed, starved and denied: forked from a process that has imported everything, they wait for the word to go.

Both sides are here: `Children` for the tests, and the process itself, `serve`. It reads lines from stdin. The first orders
some children, as JSON; their process ids come back. The next, an empty one, lets them go, all at the same moment; their
exit codes come back, negative after a signal. A child's words are in the files `out` and `err` of its directory.
"""

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tqdm import tqdm

import data_scripts.mnist
import data_scripts.synthetic  # noqa: F401 (these two, so that no child has to)
from mnist_nn import load_checkpoint, save_checkpoint
from mnist_nn.runs.epoch_table import EpochTable
from mnist_nn.runs.run_directory import RunDirectory

Act = Callable[[], object]
Order = dict[str, Any]
(SCRIPT,) = entry_points(group="console_scripts", name="nn")
MAIN = SCRIPT.load()


class Children:
    """The tests' side: order children, let them go, hear how they ended."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # threads do not survive a fork
        )
        assert self._hear() == "ready"

    def order(self, *orders: Order) -> list[int]:
        """Fork children that wait. Returns their process ids."""
        pids: list[int] = self._ask(json.dumps([{"cwd": str(Path.cwd()), **order} for order in orders]))
        return pids

    def go(self) -> None:
        """Let all that were ordered go at once."""
        self._say("")

    def codes(self) -> list[int]:
        """Wait until they have ended; their exit codes, or minus the signals that ended them."""
        codes: list[int] = self._hear()
        return codes

    def run(self, *arguments: object, **limits: object) -> int:
        """One `nn` command, from its beginning to its end. Returns its exit code."""
        self.order(nn_order(*arguments, **limits))
        self.go()
        (code,) = self.codes()
        return code

    def close(self) -> None:
        self.server.communicate()

    def _ask(self, line: str) -> Any:
        self._say(line)
        return self._hear()

    def _say(self, line: str) -> None:
        assert self.server.stdin
        self.server.stdin.write(line + "\n")
        self.server.stdin.flush()

    def _hear(self) -> Any:
        assert self.server.stdout
        return json.loads(self.server.stdout.readline())


def nn_order(*arguments: object, **limits: object) -> Order:
    """An `nn` command; with `file_limit` no file may grow beyond so many bytes, with `user` it runs under that id."""
    return {"act": "nn", "arguments": [str(argument) for argument in arguments], **limits}


def nn(*arguments: str) -> Act:
    return lambda: MAIN(list(arguments))


def save(path: str, other: str) -> Act:
    checkpoint = load_checkpoint(Path(other))
    return lambda: save_checkpoint(Path(path), checkpoint.config, checkpoint.state)


def append(path: str, columns: list[str], rows: list[dict[str, str]]) -> Act:
    table = EpochTable(Path(path), columns, first_epoch=1)
    return lambda: table.append(rows)


def describe(path: str, description: dict[str, Any]) -> Act:
    return lambda: RunDirectory(Path(path)).describe(description)


ACTS: dict[str, Callable[..., Act]] = {"nn": nn, "save": save, "append": append, "describe": describe}


def obey(order: Order, ready: int, gate: int) -> int:
    """Say when ready, and carry out an order once the gate is open. Returns the exit code."""
    os.chdir(order["cwd"])
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(order.get(name, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), descriptor)
    act = ACTS[order["act"]](*order["arguments"])
    if order.get("user") is not None:
        os.setuid(order["user"])
    if order.get("file_limit") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"], resource.RLIM_INFINITY))
    signal.alarm(60)  # nothing here takes a second
    try:
        os.write(ready, b".")
        os.read(gate, 1)
        act()
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:  # before the command had begun
        return 128 + signal.SIGINT
    except OSError as error:  # told by another call than `write`, which may be made to fail
        os.pwrite(2, json.dumps([error.errno, error.filename]).encode(), 0)
        return 1
    return 0


def serve() -> None:
    """The process from which the children are forked."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job would not have
    tqdm.set_lock(threading.RLock())  # tqdm's own is shared with the children: one killed in holding it would stop all
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as directory, quiet, contextlib.suppress(SystemExit):
        nn("train", "chain", "--quiet", "--run-dir", f"{directory}/run")()  # imports what it imports late
    print('"ready"', flush=True)
    while line := sys.stdin.readline():
        gate, opener = os.pipe()
        listener, ready = os.pipe()
        pids = []
        for order in json.loads(line):
            if not (pid := os.fork()):
                code = 99
                try:
                    os.close(opener)
                    code = obey(order, ready, gate)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            pids.append(pid)
        os.close(gate)
        os.close(ready)
        waiting = len(pids)
        while waiting and (said := os.read(listener, waiting)):  # all stand at the gate, or have failed before it
            waiting -= len(said)
        os.close(listener)
        print(json.dumps(pids), flush=True)
        sys.stdin.readline()
        os.close(opener)
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]), flush=True)


if __name__ == "__main__":
    serve()
