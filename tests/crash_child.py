"""Child processes for the crash tests, which kill them, limit them or deny them access.

A server process imports everything, forks the children and lets them wait for the signal to start. This file has both
sides: `Children` for the tests, and `serve` for the server process. The server reads lines from stdin:

- The first line orders children, as JSON. The server answers with their process ids.
- The next line is empty and starts all of them at the same moment. The server answers with their exit codes. After a
  signal, the exit code is negative.

A child writes its output to the files `out` and `err` in its directory.
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
import data_scripts.synthetic  # noqa: F401 (both are imported here, so that no child has to)
from mnist_nn import load_checkpoint, save_checkpoint
from mnist_nn.runs.description import write_description
from mnist_nn.runs.epoch_table import EpochTable
from mnist_nn.runs.run_directory import RunDirectory

Act = Callable[[], object]
Order = dict[str, Any]
(SCRIPT,) = entry_points(group="console_scripts", name="nn")
MAIN = SCRIPT.load()


class Children:
    """The tests' side: order children, start them, and get their exit codes."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # threads do not survive a fork
        )
        assert self._receive() == "ready"

    def order(self, *orders: Order) -> list[int]:
        """Fork children that wait for the start. Returns their process ids."""
        pids: list[int] = self._ask(json.dumps([{"cwd": str(Path.cwd()), **order} for order in orders]))
        return pids

    def go(self) -> None:
        """Start all ordered children at once."""
        self._send("")

    def exit_codes(self) -> list[int]:
        """Wait until the children have ended. Returns their exit codes, or minus the signal for a killed one."""
        codes: list[int] = self._receive()
        return codes

    def run(self, *arguments: object, **limits: object) -> int:
        """Run one `nn` command to its end. Returns its exit code."""
        self.order(nn_order(*arguments, **limits))
        self.go()
        (code,) = self.exit_codes()
        return code

    def close(self) -> None:
        self.server.communicate()

    def _ask(self, line: str) -> Any:
        self._send(line)
        return self._receive()

    def _send(self, line: str) -> None:
        assert self.server.stdin
        self.server.stdin.write(line + "\n")
        self.server.stdin.flush()

    def _receive(self) -> Any:
        assert self.server.stdout
        return json.loads(self.server.stdout.readline())


def nn_order(*arguments: object, **limits: object) -> Order:
    """The order for an `nn` command.

    `file_limit` is the largest size of a file in bytes. `user` is the user id that the command runs under.
    """
    return {"act": "nn", "arguments": [str(argument) for argument in arguments], **limits}


def nn(*arguments: str) -> Act:
    return lambda: MAIN(list(arguments))


def save(path: str, other: str) -> Act:
    checkpoint = load_checkpoint(Path(other))
    return lambda: save_checkpoint(Path(path), checkpoint.config, checkpoint.state)


def append(path: str, columns: list[str], rows: list[dict[str, str]]) -> Act:
    table = EpochTable(Path(path), columns, first_epoch=1)
    table.write(table.read())
    return lambda: table.append(rows)


def describe(path: str, description: dict[str, Any]) -> Act:
    return lambda: write_description(RunDirectory(Path(path)).description_file, description)


ACTS: dict[str, Callable[..., Act]] = {"nn": nn, "save": save, "append": append, "describe": describe}


def carry_out(order: Order, ready: int, gate: int) -> int:
    """Report ready, wait until the gate opens, and carry out the order. Returns the exit code."""
    os.chdir(order["cwd"])
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(order.get(name, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), descriptor)
    act = ACTS[order["act"]](*order["arguments"])
    if order.get("user") is not None:
        os.setuid(order["user"])
    if order.get("file_limit") is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"], resource.RLIM_INFINITY))
    signal.alarm(60)  # normally, nothing here takes even a second
    try:
        os.write(ready, b".")
        os.read(gate, 1)
        act()
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:  # raised before the command began
        return 128 + signal.SIGINT
    except OSError as error:  # reported with pwrite, because the test may make `write` fail
        os.pwrite(2, json.dumps([error.errno, error.filename]).encode(), 0)
        return 1
    return 0


def serve() -> None:
    """The server process, which forks the children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell would ignore SIGINT
    tqdm.set_lock(threading.RLock())  # children share tqdm's own lock: one killed while holding it would block all
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as directory, quiet, contextlib.suppress(SystemExit):
        nn("train", "chain", "--quiet", "--run-dir", f"{directory}/run")()  # so that late imports are done too
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
                    code = carry_out(order, ready, gate)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            pids.append(pid)
        os.close(gate)
        os.close(ready)
        waiting = len(pids)
        while waiting and (said := os.read(listener, waiting)):  # until every child waits at the gate or has failed
            waiting -= len(said)
        os.close(listener)
        print(json.dumps(pids), flush=True)
        sys.stdin.readline()
        os.close(opener)
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]), flush=True)


if __name__ == "__main__":
    serve()
