"""A random campaign: random configurations, killed at any instant from exec to exit, end in the same bits.

`NN_LONG=1` tries 200 configurations instead of 3.
"""

import os
import random as random_module
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from ruamel.yaml import YAML

CONFIGURATIONS = 200 if os.environ.get("NN_LONG") else 3
ENTRY = "__main__.py"  # the file in which the command begins
KILLS = 3  # at most, for each configuration
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
ENDS = {0, *(-number for number in SIGNALS), *(128 + number for number in SIGNALS[1:])}


def configuration(random: random_module.Random, digits: Path) -> dict[str, Any]:
    """A configuration that trains 250 small digits in about a second."""
    cost = random.choice(["squared_error", "cross_entropy"])
    outputs = ["sigmoid"] if cost == "cross_entropy" else ["sigmoid", "tanh", "identity"]
    hidden = [random.randint(1, 30) for _ in range(random.randint(0, 3))]
    return {
        "seed": random.randrange(1000),
        "dtype": random.choice(["float32", "float64"]),
        "data": {
            "source": "idx",
            "dir": str(digits),
            "validation": random.choice([0, 50]),
            "deslant": random.random() < 0.3,
        },
        "augmentation": random.choice([{}, {"rotation": 10.0}, {"elastic": {"alpha": 20.0}, "shift": 1.0}]),
        "network": {
            "sizes": [784, *hidden, 10],
            "activation": random.choice(["sigmoid", "tanh", "relu"]),
            "output": random.choice(outputs),
            "init": random.choice(["centred", "lecun_normal", "glorot_uniform", "he_normal"]),
        },
        "cost": cost,
        "training": {
            "epochs": random.randint(1, 8),
            "batch_size": random.choice([1, 7, 16, 64, 1000]),
            "learning_rate": random.choice([0.001, 0.01, 0.05]),
            "momentum": random.choice([0.0, 0.5, 0.9]),
            "l2": random.choice([0.0, 1e-4]),
            "schedule": random.choice(["constant", "cosine", {"name": "step", "every": 2, "factor": 0.5}]),
            "warmup": random.choice([0, 2]),
            "early_stopping": random.choice([None, 2]),
            "gradient_norms": random.random() < 0.4,
            "snapshots": random.choice([0, 1, 20]),
        },
    }


@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_random_runs_killed_at_any_instant_end_identically(
    seed: int, digits: Path, nn: Command, nn_process: Any, tmp_path: Path
) -> None:
    """As a batch job does it: resume the run if its directory is there, else start it."""
    random = random_module.Random(seed)
    file = tmp_path / "random.yaml"
    with file.open("w") as stream:
        YAML(typ="safe").dump(configuration(random, digits), stream)
    started = time.monotonic()
    process = nn_process("train", file, "--run-dir", "whole", "--quiet")
    _, complaint = process.communicate()
    assert process.returncode == 0, complaint
    whole = time.monotonic() - started
    for _ in range(KILLS):
        command = ["--resume", "cut"] if Path("cut").exists() else [file, "--run-dir", "cut"]
        process = nn_process("train", *command, "--quiet")
        time.sleep(random.uniform(0, 1.1 * whole))
        process.send_signal(number := random.choice(SIGNALS))
        _, complaint = process.communicate()
        if number == signal.SIGINT and complaint.rstrip().endswith("KeyboardInterrupt") and ENTRY not in complaint:
            continue  # Python's own start was interrupted, before the command began
        assert process.returncode in ENDS, complaint
        assert "Traceback" not in complaint, complaint
    command = ["--resume", "cut"] if Path("cut").exists() else [file, "--run-dir", "cut"]
    assert nn("train", *command, "--quiet").code == 0
    tables = [Path(run, "metrics.csv").read_text().splitlines() for run in ("whole", "cut")]
    assert [row.rpartition(",")[0] for row in tables[1]] == [row.rpartition(",")[0] for row in tables[0]]  # no seconds
    for name in ("config.yaml", "checkpoints/last.safetensors", "checkpoints/best.safetensors", "gradients.csv"):
        if Path("whole", name).exists():
            assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes(), name
    snapshots = [{file.name: file.read_bytes() for file in Path(run).glob("snapshots/*")} for run in ("whole", "cut")]
    assert snapshots[1] == snapshots[0]
    assert [path.name for path in Path("cut").rglob("*.nn-tmp")] == []
