"""The trainers of the benchmark start and answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import needs_numba

HERE = Path(__file__).parent / "benchmarks"


@pytest.mark.parametrize("name", ["nn", pytest.param("compiled", marks=needs_numba), "floor"])
def test_each_benchmark_trainer_reports_seconds_for_every_request(name: str) -> None:
    cell = json.dumps({"sizes": [784, 5, 10], "m": 4, "steps": 3})
    done = subprocess.run(
        [sys.executable, str(HERE / "worker.py"), name, cell, "1"],
        input="\n\n",
        capture_output=True,
        text=True,
        check=True,
    )
    ready, *seconds = done.stdout.split()
    assert ready == "ready"
    assert len(seconds) == 2
    assert all(0 < float(s) < 60 for s in seconds)
