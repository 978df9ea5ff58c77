"""The number of threads: as many as pay off for the matrix products of a step, or as many as configured."""

import json
from pathlib import Path

import pytest
from conftest import Command

from mnist_nn import Config
from mnist_nn.training.threads import threads_for


def config(sizes: list[int], batch_size: int, threads: int | None = None) -> Config:
    return Config.model_validate(
        {"network": {"sizes": sizes}, "training": {"batch_size": batch_size, "threads": threads}}
    )


@pytest.mark.parametrize(
    ("sizes", "batch_size", "available", "expected", "with_fast_kernels"),
    [
        ([784, 30, 10], 10, 2, 1, 1),
        ([784, 100, 10], 10, 64, 1, 1),
        ([784, 100, 10], 64, 2, 1, 1),
        ([784, 100, 10], 100, 2, 2, 1),
        ([784, 512, 512, 10], 64, 2, 2, 1),
        ([784, 800, 10], 128, 2, 2, 2),
        ([784, 800, 10], 128, 1, 1, 1),
        ([784, 800, 10], 128, 64, 24, 3),
        ([784, 2500, 2000, 1500, 1000, 500, 10], 128, 64, 64, 61),
    ],
)
def test_larger_steps_use_more_threads(
    sizes: list[int], batch_size: int, available: int, expected: int, with_fast_kernels: int
) -> None:
    """Small steps use one thread, even if more are available."""
    assert threads_for(config(sizes, batch_size), available, ["Haswell"]) == expected
    assert threads_for(config(sizes, batch_size), available, []) == expected
    assert threads_for(config(sizes, batch_size), available, ["SkylakeX"]) == with_fast_kernels


def test_a_configured_number_of_threads_is_used() -> None:
    assert threads_for(config([784, 30, 10], 10, threads=3), available=2, kernels=[]) == 3


@pytest.mark.parametrize(
    ("shards", "processes", "expected"), [(1, 1, 24), (4, 1, 4), (4, 2, 2), (4, 4, 1), (64, 1, 24), (64, 2, 12)]
)
def test_a_process_has_no_more_threads_than_shards(shards: int, processes: int, expected: int) -> None:
    """And only as many as pay off for its share of a batch."""
    values = {"network": {"sizes": [784, 800, 10]}, "training": {"batch_size": 128, "shards": shards}}
    assert threads_for(Config.model_validate(values), 64, [], processes) == expected


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_a_run_records_the_threads_it_used(nn: Command, tmp_path: Path, threads: int | None) -> None:
    run = tmp_path / "run"
    overrides = [] if threads is None else ["--set", f"training.threads={threads}"]
    nn("train", "chain", "--set", "training.epochs=1", *overrides, "--run-dir", str(run))
    assert json.loads((run / "run.json").read_text())["machine"]["threads"] == (threads or 1)


def test_the_command_restores_the_thread_settings(nn: Command, tmp_path: Path) -> None:
    from threadpoolctl import threadpool_info

    before = [library["num_threads"] for library in threadpool_info()]
    nn(
        "train",
        "chain",
        "--set",
        "training.epochs=1",
        "--set",
        "training.threads=1",
        "--run-dir",
        str(tmp_path / "run"),
    )
    assert [library["num_threads"] for library in threadpool_info()] == before
