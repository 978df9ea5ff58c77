"""Measure the seconds until a network reaches an accuracy: whole processes, from the command to that epoch's end."""

import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


def time_nn(data_dir: Path, hidden: int, wanted: float) -> tuple[float, int]:
    """The seconds and the epoch of `nn train mnist`, which is watched through its metrics.csv and then stopped."""
    with tempfile.TemporaryDirectory() as directory:
        run = Path(directory) / "run"
        command = [sys.executable, "-c", "from nn_cli.main import main; main()", "train", "mnist", "--quiet"]
        command += ["--set", f"network.sizes=[784,{hidden},10]", "--set", "augmentation={}"]
        command += ["--set", "data.source=idx", "--data-dir", str(data_dir), "--run-dir", str(run)]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                time.sleep(0.02)
                if not (run / "metrics.csv").exists():
                    continue
                with (run / "metrics.csv").open() as file:
                    for row in csv.DictReader(file):
                        if float(row["validation_accuracy"] or 0) >= wanted:
                            seconds = time.perf_counter() - start
                            process.terminate()
                            process.wait()
                            return seconds, int(row["epoch"])
    return float("nan"), 0


def time_torch(data_dir: Path, hidden: int, wanted: float) -> tuple[float, int]:
    """The seconds and the epoch of `plain_torch.py`, which ends by itself."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(HERE / "plain_torch.py"), str(data_dir), str(hidden), str(wanted)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    epochs, accuracy = done.stdout.split()
    seconds = time.perf_counter() - start
    return (seconds, int(epochs)) if float(accuracy) >= wanted else (float("nan"), int(epochs))


def table(data_dir: Path, with_torch: bool, rounds: int = 3) -> Iterator[str]:
    """Markdown, line by line."""
    yield "\n## Time to accuracy\n"
    yield "Seconds from the command to the end of the epoch that first reaches a validation accuracy, whole processes in"
    yield f"turns, reading the .gz files included; the median of {rounds}. `nn train mnist` undistorted, for 98 % with 200"
    yield "hidden neurons (100 stay below it), against"
    yield "[the plainest script](plain_torch.py) for the same network and schedule in PyTorch. The epochs are those of the first"
    yield "turn, one seed each; where `nn` needs fewer, that is its initialisation, not its speed.\n"
    yield "| network | validation accuracy | nn | PyTorch | times as long |"
    yield "|---|---|---|---|---|"
    for hidden, wanted in ((100, 0.97), (200, 0.98)):
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(time_nn(data_dir, hidden, wanted))
            if with_torch:
                theirs.append(time_torch(data_dir, hidden, wanted))
        cells = []
        for times in (ours, theirs):
            seconds = statistics.median(t for t, _ in times) if times else float("nan")
            cells.append(f"{seconds:.1f} s, epoch {times[0][1]}" if seconds == seconds else "not reached in 30 epochs")
        share = (
            statistics.median(t / o for (t, _), (o, _) in zip(theirs, ours, strict=True)) if theirs else float("nan")
        )
        yield f"| 784-{hidden}-10 | {100 * wanted:.0f} % | {cells[0]} | {cells[1]} | {f'{share:.1f}×' if share == share else '–'} |"
