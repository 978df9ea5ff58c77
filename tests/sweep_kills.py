"""Kill parts of a sweep with SIGKILL at random instants, resume it, and compare every bit with runs made by hand.

python tests/sweep_kills.py            20 kills each of: command and worker on local processes; command, worker and
                                       scheduler on Dask. About half an hour.
python tests/sweep_kills.py KIND N     N kills of one kind, such as `local-worker 5`

Runs `nn` and `dask` from the environment of this Python, in a temporary directory.
"""

import json
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

SCRIPTS = Path(sysconfig.get_path("scripts"))
PLAN = ("quickstart", "--grid", "training.learning_rate=0.3,1,3", "--grid", "training.momentum=0,0.5", "--seeds", "3")
SCHEDULER = "127.0.0.1:8798"
KINDS = ("local-command", "local-worker", "dask-command", "dask-worker", "dask-scheduler")
LONGEST = 240  # seconds for a command that nothing disturbs


def start(*command: object) -> psutil.Popen:
    words = [str(SCRIPTS / str(command[0])), *map(str, command[1:])]
    return psutil.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def kill(process: psutil.Process) -> None:
    """Kill a process and its children, as a machine that loses its power does."""
    try:
        for one in [*process.children(recursive=True), process]:
            with suppress(psutil.NoSuchProcess):
                one.kill()
    except psutil.NoSuchProcess:
        pass  # it has ended by itself
    process.wait()


class Dask:
    """A scheduler and two workers. Whatever is dead is started again by `mend`."""

    def __init__(self) -> None:
        self.parts: dict[str, psutil.Popen] = {}

    def mend(self) -> None:
        if (scheduler := self.parts.get("scheduler")) is None or scheduler.poll() is not None:
            for part in self.parts.values():
                kill(part)
            self.parts = {"scheduler": start("dask", "scheduler", "--port", SCHEDULER.split(":")[1], "--no-dashboard")}
            time.sleep(3)
        for name in ("worker 1", "worker 2"):
            if name not in self.parts or self.parts[name].poll() is not None:
                self.parts[name] = start("dask", "worker", f"tcp://{SCHEDULER}", "--nthreads", 1, "--no-dashboard")

    def end(self) -> None:
        for part in self.parts.values():
            kill(part)


@contextmanager
def cluster(wanted: bool) -> Iterator[Dask | None]:
    if not wanted:
        yield None
        return
    dask = Dask()
    try:
        yield dask
    finally:
        dask.end()


def fingerprints(directory: Path) -> dict[str, str]:
    """The fingerprint of each trial, by a text of what distinguishes it."""
    found = {}
    for file in directory.glob("[!.]*/run.json"):
        described = json.loads(file.read_text())
        assert described["status"] == "finished", file
        training = described["config"]["training"]
        key = f"{training['learning_rate']} {training['momentum']} {described['config']['seed']}"
        assert key not in found, f"{key} twice"
        found[key] = described["fingerprint"]
    return found


def by_hand(directory: Path) -> dict[str, str]:
    """The same trainings by `nn train`, one after the other."""
    for rate in ("0.3", "1", "3"):
        for momentum in ("0", "0.5"):
            for seed in range(3):
                sets = (f"training.learning_rate={rate}", f"training.momentum={momentum}", f"seed={seed}")
                options = [word for one in sets for word in ("--set", one)]
                run = start("nn", "train", "quickstart", *options, "--run-dir", directory / f"{rate}-{momentum}-{seed}")
                assert run.wait() == 0
    return fingerprints(directory)


def victims(kind: str, command: psutil.Popen, dask: Dask | None) -> list[psutil.Process]:
    """The processes of which one is killed."""
    if kind.endswith("command"):
        return [command]
    if dask is None:
        return [child for child in command.children() if "multiprocessing" in " ".join(child.cmdline())]
    return [part for name, part in dask.parts.items() if name.startswith(kind.removeprefix("dask-"))]


def campaign(kind: str, kills: int, expected: dict[str, str], randomness: random.Random) -> None:
    """Run sweeps, kill one part again and again, and let the last command finish each."""
    killed = sweeps = lives = 0
    with cluster(kind.startswith("dask")) as dask:
        while killed < kills:
            sweeps += 1
            name, command = f"{kind}-{sweeps}", None
            on = ("--on", f"dask://{SCHEDULER}") if dask else ()
            while True:
                if dask:
                    dask.mend()
                again = Path("sweeps", name).exists()
                command = start("nn", "sweep", *(("--resume", name) if again else (*PLAN, "--name", name)), *on)
                lives += 1
                began = time.monotonic()
                while command.poll() is None and killed < kills:
                    try:
                        command.wait(randomness.uniform(0.5, 6))
                    except psutil.TimeoutExpired:
                        if found := victims(kind, command, dask):
                            victim = randomness.choice(found)
                            if victim is command:  # its workers must end by themselves
                                command.kill()
                                command.wait()
                            else:
                                kill(victim)
                            killed += 1
                        if dask and kind == "dask-worker":
                            dask.mend()
                if command.wait(LONGEST) == 0:
                    break
                assert time.monotonic() - began < LONGEST
            found = fingerprints(Path("sweeps", name))
            assert found == expected, f"{kind}: other bits, or a trial lost: {sorted(found.items() ^ expected.items())}"
            left = [path for path in Path("sweeps", name).iterdir() if path.name.endswith(".nn-tmp")]
            assert not left, left
    print(f"{kind}: {killed} kills, {sweeps} sweeps, {lives} commands: all trials have the same bits", flush=True)


def main() -> None:
    kinds, kills = ([sys.argv[1]], int(sys.argv[2])) if len(sys.argv) > 2 else (KINDS, 20)
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        expected = by_hand(Path("by-hand"))
        assert len(expected) == 18
        for kind in kinds:
            campaign(kind, kills, expected, random.Random(kind))
        every = psutil.process_iter(["cmdline", "cwd"])
        left = [p.info["cmdline"] for p in every if p.info["cwd"] == directory and p.pid != os.getpid()]
        assert not left, left


if __name__ == "__main__":
    main()
