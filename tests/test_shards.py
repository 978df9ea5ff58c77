"""Batches cut into shards: the same bits on any number of threads and processes.

The processes are simulated by threads (`team.py`). Real ones are in `test_mpi.py`.
"""

import copy
import json
import pickle
import re
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from team import Member, on_processes

from mnist_nn import (
    COSTS,
    SGD,
    Config,
    Examples,
    Network,
    backprop,
    fingerprint,
    forward,
    initial_state,
    load_checkpoint,
    prepare_examples,
    save_checkpoint,
    train,
)
from mnist_nn.chapter.activation import Array
from mnist_nn.chapter.backprop import Gradient
from mnist_nn.chapter.network import layer_places, weights_within
from mnist_nn.configuration.reader import parse_config
from mnist_nn.errors import ConfigError
from mnist_nn.examples.shuffling import Shuffling, Slice, cut
from mnist_nn.randomness import stream
from mnist_nn.training.loop import Progress
from mnist_nn.training.sharded_gradient import ShardedGradient
from mnist_nn.training.state import TrainingState
from mnist_nn.training.tree_sum import add_neighbours
from mnist_nn.training.workers import Workers

PROCESSES = [1, 2, 4, 8]

# Shuffling


@pytest.mark.parametrize("m", [0, 1, 7, 8, 100])
@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_shares_are_neighbours_and_differ_by_at_most_one(m: int, n: int) -> None:
    shares = [range(m)[cut(m, i, n)] for i in range(n)]
    assert [place for share in shares for place in share] == list(range(m))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def batches_of(steps: Slice, rank: int, processes: int) -> list[np.ndarray]:
    """This process's places in each batch of a slice."""
    lengths = [len(range(m)[cut(m, rank, processes)]) for m in steps.sizes]
    assert sum(lengths) == len(steps.rows) == len(steps.places)
    return np.split(steps.places, np.cumsum(lengths)[:-1])


@pytest.mark.parametrize("processes", PROCESSES)
@pytest.mark.parametrize("n", [64, 67, 50, 16, 3])  # the last batch has 16, 3, 2, 16 or 3 examples
@pytest.mark.parametrize("steps", [1, 3, 100])
def test_the_processes_share_every_place_of_an_epoch_once(processes: int, n: int, steps: int) -> None:
    """Together they have each batch: consecutive places of the epoch's order. A share can be empty."""
    m = min(16, n)
    slices = [list(Shuffling(5, n, m, steps, rank, processes).slices(2)) for rank in range(processes)]
    for epoch in range(2):
        order, batches = stream(5, "shuffle", epoch).permutation(n), []
        for cuts in zip(*([one for one in own if one.epoch == epoch] for own in slices), strict=True):
            assert len({(one.first, one.last, tuple(one.sizes), one.ends_epoch) for one in cuts}) == 1
            assert cuts[0].last - cuts[0].first == len(cuts[0].sizes) <= steps
            assert cuts[0].ends_epoch == (cuts[0].last == -(-n // m))
            shares = [batches_of(one, rank, processes) for rank, one in enumerate(cuts)]
            for batch in zip(*shares, strict=True):
                sizes = [len(share) for share in batch]
                assert max(sizes) - min(sizes) <= 1
                batches.append(np.concatenate(batch))
            for one in cuts:
                np.testing.assert_array_equal(one.rows, order[one.places])
        assert [batch.tolist() for batch in batches] == [list(range(n))[i : i + m] for i in range(0, n, m)]


@pytest.mark.parametrize("n", [1, 2, 50, 70_000])
def test_the_order_of_an_epoch_is_a_permutation_by_its_stream(n: int) -> None:
    for epoch in (0, 3):
        expected = stream(9, "shuffle", epoch).permutation(n)
        np.testing.assert_array_equal(Shuffling(9, n, 10, 4).order(epoch), expected)


def test_the_order_takes_4_bytes_for_each_example() -> None:
    """While it is drawn, too."""
    n = 500_000
    shuffling = Shuffling(0, n, 10, 4)
    shuffling.order(0)
    tracemalloc.start()
    try:
        order = shuffling.order(1)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert order.nbytes == 4 * n
    assert most < 4.1 * n


def listed(slices: Iterator[Slice]) -> list[tuple[object, ...]]:
    return [(one.epoch, one.first, one.last, one.sizes, one.rows.tolist(), one.places.tolist()) for one in slices]


@pytest.mark.parametrize("processes", [1, 4])
def test_resuming_from_a_step_gives_the_rest_of_the_slices(processes: int) -> None:
    shuffling = Shuffling(1, 50, 8, 3, processes - 1, processes)
    whole = listed(shuffling.slices(3))
    assert [one[:3] for one in whole] == [(epoch, *ends) for epoch in range(3) for ends in ((0, 3), (3, 6), (6, 7))]
    for i, one in enumerate(whole):
        assert listed(shuffling.slices(3, *one[:2])) == whole[i:]  # type: ignore[arg-type]
    assert listed(shuffling.slices(3, 2, 7)) == listed(shuffling.slices(3, 3)) == []


def test_a_resumed_epoch_may_be_cut_into_other_slices() -> None:
    """The batches are the same from any step on, whatever the slices."""
    rows = [row for one in Shuffling(1, 50, 8, 3).slices(1) for row in one.rows]
    for step in range(7):
        assert [row for one in Shuffling(1, 50, 8, 2).slices(1, 0, step) for row in one.rows] == rows[8 * step :]


# The sum in a tree


def tree(vectors: list[Array]) -> Array:
    """The sum in the order of the tree, written out."""
    v = vectors
    match len(v):
        case 1:
            return v[0]
        case 2:
            return v[0] + v[1]
        case 4:
            return (v[0] + v[1]) + (v[2] + v[3])
        case _:
            return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]))


def vectors_of(count: int, n: int) -> list[Array]:
    """Numbers of very different size, so that every order of addition rounds differently."""
    random = np.random.default_rng(count)
    return [(random.normal(size=n) * 10.0 ** random.integers(-3, 4, n)).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("count", PROCESSES)
def test_neighbours_are_added_in_the_order_of_the_tree(count: int) -> None:
    """Whole or in parts."""
    vectors = vectors_of(count, 1000)
    for edges in ([0, 1000], [0, 1, 8, 500, 1000]):
        added = copy.deepcopy(vectors)
        for start, end in pairwise(edges):
            add_neighbours(added, slice(start, end))
        assert added[0].dtype == np.float32
        assert added[0].tobytes() == tree(vectors).tobytes()


@pytest.mark.parametrize("count", [4, 8])
def test_the_order_of_the_tree_is_not_from_left_to_right(count: int) -> None:
    """Otherwise the tests of the order could not fail."""
    vectors = vectors_of(count, 1000)
    from_left = np.zeros(1000, np.float32)
    for vector in vectors:
        from_left += vector
    assert 100 < (from_left != tree(vectors)).sum() < 1000


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize("n", [0, 1, 3, 7, 1000, 4099])
@pytest.mark.parametrize("processes", PROCESSES)
def test_all_processes_get_the_sum_of_the_tree(
    processes: int, n: int, short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 2 log₂ N messages from each, with at most 2 (N − 1)/N · n + N numbers in all; short vectors whole."""
    monkeypatch.setattr("mnist_nn.training.tree_sum.SHORT", n * processes + 1 if short else 0)
    vectors = vectors_of(processes, n)

    def add(member: Member) -> tuple[bytes, int, int]:
        vector = vectors[member.rank].copy()
        member.add(vector)
        return vector.tobytes(), member.messages, member.numbers

    for found, messages, numbers in on_processes(processes, add):
        assert found == tree(vectors).tobytes()
        if short:
            assert messages == np.log2(processes)
            assert numbers == np.log2(processes) * n
        else:
            assert messages == 2 * np.log2(processes)
            assert numbers <= 2 * (processes - 1) / processes * n + processes


# The gradient in shards

SIZES = [6, 5, 4, 3]


def network_of(dtype: type) -> Network:
    network = Network(SIZES, activation="tanh", dtype=dtype)
    network.parameters[:] = np.random.default_rng(1).normal(size=network.parameters.size)
    return network


def examples_of(m: int) -> Examples:
    random = np.random.default_rng(2)
    return Examples(random.normal(size=(m + 5, 6)), random.random((m + 5, 3)))


def plain_gradient(network: Network, examples: Examples, rows: np.ndarray, scale: float = 1.0) -> Array:
    x, y = (part[rows].astype(network.parameters.dtype).T for part in (examples.inputs, examples.targets))
    passed = backprop(network, COSTS["squared_error"], forward(network, x), y, scale=scale)
    return passed.gradient.vector


def in_shards(shards: int, m: int, workers: Workers, dtype: type = np.float32, scale: float = 1.0) -> Array:
    """The gradient of a batch of m examples, which stand in the examples in reverse order."""
    examples, rows = examples_of(m), np.arange(m)[::-1]
    gradient = ShardedGradient(network_of(dtype), COSTS["squared_error"], examples, m, shards, workers)
    own = rows[cut(m, workers.rank, workers.processes)]
    for _ in range(2):  # the second call must not see the first one's numbers
        vector = gradient(examples, own, m, scale).vector
    return vector


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the threads share the addition of a small network's gradients."""
    monkeypatch.setattr("mnist_nn.training.sharded_gradient.BLOCK", 7)


@pytest.mark.parametrize("m", [27, 8, 3], ids=["unequal shards", "shards of one", "empty shards"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_and_processes_leave_the_gradients_bits_alone(m: int, dtype: type, small_blocks: None) -> None:
    """It is the serial sum of the shards' parts, each an average over the whole batch, in the order of the tree."""
    network, examples, rows, parts = network_of(dtype), examples_of(m), np.arange(m)[::-1], []
    for s in range(8):
        shard = rows[m * s // 8 : m * (s + 1) // 8]
        share = len(shard) / m
        parts.append(plain_gradient(network, examples, shard, 0.5 * share) if share else 0 * network.parameters)
    expected = tree(parts).tobytes()
    for processes in PROCESSES:
        for threads in (1, 2, 3, 4):
            found = on_processes(processes, lambda workers: in_shards(8, m, workers, dtype, 0.5).tobytes(), threads)
            assert found == [expected] * processes


@pytest.mark.parametrize("m", [64, 27, 3])
@pytest.mark.parametrize("shards", PROCESSES)
def test_shards_give_the_gradient_of_the_whole_batch(shards: int, m: int) -> None:
    whole = plain_gradient(network_of(np.float64), examples_of(m), np.arange(m), scale=0.3)
    found = in_shards(shards, m, Workers(), np.float64, scale=0.3)
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-12 * np.abs(whole).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_shard_is_backpropagation_bit_for_bit(dtype: type) -> None:
    whole = plain_gradient(network_of(dtype), examples_of(27), np.arange(27)[::-1])
    assert in_shards(1, 27, Workers(), dtype).tobytes() == whole.tobytes()
    assert in_shards(2, 27, Workers(), dtype).tobytes() != whole.tobytes()


# The step in parts


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_step_in_parts_equals_the_whole_step(momentum: float, l2: float, random: np.random.Generator) -> None:
    """Bit for bit, wherever the vectors are cut."""
    sgd = SGD(momentum, l2)
    n = network_of(np.float32).parameters.size
    given = random.normal(size=(2, n)).astype(np.float32)

    def after(edges: list[int], scratch: bool) -> tuple[bytes, bytes]:
        network = network_of(np.float32)
        velocity, buffer = sgd.new_velocity(network), np.empty_like(network.parameters) if scratch else None
        for numbers in given:
            gradient = Gradient(network)
            gradient.vector[:] = numbers
            for start, end in zip([0, *edges], [*edges, n], strict=True):
                sgd.step(network, gradient, velocity, 0.3, buffer, slice(start, end))
        return network.parameters.tobytes(), velocity.tobytes()

    whole = after([], scratch=False)
    assert all(after([edge], scratch=True) == whole for edge in range(n + 1))
    for _ in range(20):
        edges = sorted(map(int, random.integers(0, n, 5)))
        assert after(edges, scratch=bool(random.integers(2))) == whole


def test_l2_touches_no_bias_in_any_part() -> None:
    n = network_of(np.float64).parameters.size
    biases = np.concatenate([np.arange(n)[place] for _, _, place in layer_places(SIZES)])
    assert len(biases) == 5 + 4 + 3
    for start in range(0, n, 3):
        network = network_of(np.float64)
        before = network.parameters.copy()
        SGD(l2=0.5).step(network, Gradient(network), np.empty(0), 0.1, None, slice(start, start + 8))
        changed = np.flatnonzero(network.parameters != before)
        assert changed.tolist() == [i for i in range(n)[start : start + 8] if i not in biases]


@pytest.mark.parametrize("part", [slice(None), slice(0, 0), slice(3, 36), slice(29, 200), slice(34, 35)])
def test_weights_within_a_part_are_all_but_the_biases(part: slice) -> None:
    n = network_of(np.float64).parameters.size
    network = Network(SIZES, parameters=np.arange(n, dtype=np.float64))
    weights = {int(i) for w in network.w.values() for i in w.ravel()}
    found = [i for place in weights_within(part, SIZES) for i in range(n)[place]]
    assert found == [i for i in range(n)[part] if i in weights]


# Training


SIDE = 8
EVERYTHING = {
    "augmentation": {"rotation": 10.0, "elastic": {"sigma": 2.0, "alpha": 10.0}},
    "training": {"momentum": 0.9, "l2": 0.01, "gradient_norms": True},
}
SETTINGS: dict[str, dict[str, object]] = {
    "plain": {},
    "everything": EVERYTHING,
    "early stopping": {"training": {"epochs": 20, "early_stopping": 2, "learning_rate": 3.0}},
    "float64": {"dtype": "float64", "network": {"activation": "relu"}},
    "deslanted": {"data": {"deslant": True}, "cost": "cross_entropy"},
    "cosine with warm-up": {"training": {"schedule": "cosine", "warmup": 1}},
    "steps down": {"training": {"schedule": {"name": "step", "every": 1, "factor": 0.5}}},
}


def config_of(changes: dict[str, object], **training: object) -> Config:
    """Three epochs of three steps: 16, 16 and 13 examples in 8 shards."""
    values: dict[str, dict[str, object]] = {
        "network": {"sizes": [SIDE**2, 6, 4]},
        "training": {"epochs": 3, "batch_size": 16, "learning_rate": 0.5, "schedule": "constant", "shards": 8},
    }
    for key, value in changes.items():
        values[key] = {**values.get(key, {}), **value} if isinstance(value, dict) else value  # type: ignore[assignment]
    values["training"].update(training)
    return Config.model_validate(values)


def examples_for(config: Config) -> tuple[Examples, Examples]:
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (60, SIDE, SIDE), dtype=np.uint8)
    return prepare_examples(config, images, random.integers(0, 4, 60, dtype=np.uint8)).split(15)


@pytest.fixture
def many_pieces(monkeypatch: pytest.MonkeyPatch, small_blocks: None) -> None:
    """Slices, blocks and samples so small that a short training has several of each."""
    monkeypatch.setattr("mnist_nn.training.loop.SLICE_STEPS", 2)
    monkeypatch.setattr("mnist_nn.training.evaluation.SLICE", 10)
    monkeypatch.setattr("mnist_nn.training.measuring.TRAIN_SAMPLE", 40)
    monkeypatch.setattr("mnist_nn.training.measuring.GRADIENT_SAMPLE", 30)
    monkeypatch.setattr("mnist_nn.examples.fresh_examples.AHEAD", 5)


def without_seconds(report: Progress) -> Progress:
    return replace(report, result=report.result and replace(report.result, seconds=0.0))


Trained = tuple[str, bytes, list[Progress]]


def trained(config: Config, workers: Workers | None = None) -> Trained:
    """The fingerprint, the velocity and all reports of a whole training."""
    state = initial_state(config)
    reports = [without_seconds(report) for report in train(config, state, *examples_for(config), workers)]
    return fingerprint(state.network), state.velocity.tobytes(), reports


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_training_gives_the_same_bits_on_any_workers(changes: dict[str, object], many_pieces: None) -> None:
    """And the same reports: results, gradient norms, best epochs. Every process has them."""
    config = config_of(changes)
    alone = trained(config)
    results = [report.result for report in alone[2] if report.result]
    assert len(alone[2]) >= 2 * len(results)  # it also reports within epochs
    assert len(results) == 3 if config.training.early_stopping is None else 3 <= len(results) < 20
    for processes in (1, 2, 4):
        for threads in (1, 2, 4):
            found = on_processes(processes, lambda workers: trained(config, workers), threads)
            assert found == [alone] * processes
    other = config_of({**changes, "seed": 1})
    assert trained(other)[0] != alone[0]


def test_the_number_of_shards_decides_the_last_bits(many_pieces: None) -> None:
    """The costs stay close, and the configured threads change nothing."""
    found = {shards: trained(config_of({}, shards=shards)) for shards in (None, 1, 2, 4, 16)}
    assert found.pop(None) == found[1]
    assert len({fingerprint for fingerprint, _, _ in found.values()}) == 4
    costs = [[report.result.train_cost for report in reports if report.result] for _, _, reports in found.values()]
    np.testing.assert_allclose(costs, [costs[0]] * 4, rtol=1e-5)
    assert trained(config_of({}, shards=4, threads=3)) == found[4]


def test_a_run_interrupted_on_four_processes_continues_on_others(many_pieces: None) -> None:
    """Within an epoch: on four processes, then on one, then on two."""
    config = config_of(EVERYTHING)
    whole = trained(config)
    examples = examples_for(config)

    def until(stop: tuple[int, int] | None, start: TrainingState) -> Callable[[Member], tuple[bytes, list[Progress]]]:
        def job(workers: Member) -> tuple[bytes, list[Progress]]:
            state, reports = copy.deepcopy(start), []
            training = train(config, state, *examples, workers)
            for report in training:
                reports.append(without_seconds(report))
                if (state.epoch, state.step) == stop:
                    break
            training.close()  # type: ignore[attr-defined]
            state.seconds = 0.0
            return pickle.dumps(state), reports

        return job

    state, reports = initial_state(config), []
    for processes, stop in ((4, (0, 2)), (1, (2, 2)), (2, None)):
        found = on_processes(processes, until(stop, state), threads=2)
        states = [pickle.loads(saved) for saved, _ in found]
        assert len({(fingerprint(state.network), state.velocity.tobytes()) for state in states}) == 1
        assert all(others == found[0][1] for _, others in found)
        state, reports = states[0], reports + found[0][1]
        assert stop in (None, (state.epoch, state.step))
    assert (fingerprint(state.network), state.velocity.tobytes(), reports) == whole


@pytest.mark.parametrize(("shards", "processes"), [(1, 2), (2, 3), (2, 4), (8, 3), (8, 16)])
def test_processes_that_do_not_divide_the_shards_are_refused(shards: int, processes: int) -> None:
    config, workers = config_of({}, shards=shards), Workers()
    workers.processes = processes
    with pytest.raises(ValueError, match="shards") as error:
        next(train(config, initial_state(config), *examples_for(config), workers))
    assert str(error.value) == f"training.shards: {shards}: cannot be shared by {processes} processes"


# The configuration


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ("{shards: 3}", "shards: 3: must be a power of two, such as 2"),
        ("{batch_size: 100, shards: 96}", "shards: 96: must be a power of two, such as 64"),
        ("{shards: 16}", "shards: 16: must be at most batch_size, which is 10"),
        ("{batch_size: 1, shards: 2}", "shards: 2: must be at most batch_size, which is 1"),
        ("{shards: 4, compiled: true}", "compiled: true: does not go with shards: 4; set compiled: false or shards: 1"),
    ],
)
def test_shards_that_do_not_fit_are_refused(training: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(f"training: {training}", "my.yaml")
    assert str(error.value) == f"my.yaml:1: training: {expected}"


@pytest.mark.parametrize("shards", ["0", "-2", "8192"])
def test_the_number_of_shards_has_a_range(shards: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(f"training: {{batch_size: 10000, shards: {shards}}}", "my.yaml")
    assert str(error.value) == f"my.yaml:1: training.shards: {shards}: must be ≥ 1 and ≤ 4096"


def test_one_shard_goes_with_everything() -> None:
    for training in ("{batch_size: 1, shards: 1}", "{shards: 1, compiled: true}", "{batch_size: 4096, shards: 4096}"):
        parse_config(f"training: {training}", "my.yaml")


# The command


def results(run: str) -> tuple[str, list[str], bytes]:
    """The fingerprint, the metrics without seconds, and the bytes of the gradient norms of a run."""
    path = Path(run)
    metrics = [line.rpartition(",")[0] for line in (path / "metrics.csv").read_text().splitlines()]
    return json.loads((path / "run.json").read_text())["fingerprint"], metrics, (path / "gradients.csv").read_bytes()


def test_threads_do_not_change_a_run_with_shards(nn: Command, small: Path) -> None:
    settings = ["--set", "training.shards=4", "--set", "training.gradient_norms=true"]
    for threads in (1, 2, 3):
        outcome = nn("train", small, *settings, "--set", f"training.threads={threads}", "--run-dir", f"on-{threads}")
        assert outcome.code == 0
        assert json.loads(Path(f"on-{threads}/run.json").read_text())["machine"]["threads"] == threads
        assert results(f"on-{threads}") == results("on-1")
    assert "shards: 4 " in Path("on-1/config.yaml").read_text()
    assert nn("train", small, "--set", "training.gradient_norms=true", "--run-dir", "whole").code == 0
    assert results("whole")[0] != results("on-1")[0]


def test_a_run_records_one_shard_by_default(nn: Command, small: Path) -> None:
    """So that it can be resumed with the same bits on any number of processes that divides them."""
    nn("train", small, "--run-dir", "run")
    assert re.search(r"\n *shards: 1 +# a power of two", Path("run/config.yaml").read_text())
    assert load_checkpoint("run/checkpoints/last.safetensors").config.training.shards == 1


@pytest.mark.parametrize("key", ["absent", "null"])
def test_a_run_older_than_shards_can_be_resumed(
    key: str, nn: Command, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its configuration and checkpoints do not have the key. Null means the same."""
    norms = ["--set", "training.gradient_norms=true"]
    nn("train", small, *norms, "--set", "training.epochs=5", "--run-dir", "whole")
    nn("train", small, *norms, "--run-dir", "old")
    file = Path("old/config.yaml")
    replacement = "" if key == "absent" else "\n  shards: null"
    file.write_text(re.sub(r"\n *shards: 1.*", replacement, file.read_text()))
    for name in ("last", "best"):
        checkpoint = load_checkpoint(f"old/checkpoints/{name}.safetensors")
        training = checkpoint.config.training.model_copy(update={"shards": None})
        config = checkpoint.config.model_copy(update={"training": training})
        with monkeypatch.context() as patch:
            if key == "absent":
                old = config.model_dump_json(exclude={"training": {"shards"}})
                patch.setattr(Config, "model_dump_json", lambda _, old=old: old)
            save_checkpoint(f"old/checkpoints/{name}.safetensors", config, checkpoint.state)
        saved = Path(f"old/checkpoints/{name}.safetensors").read_bytes()
        assert (b"shards" in saved) == (key == "null")
    outcome = nn("train", "--resume", "old", "--set", "training.epochs=5")
    assert outcome.code == 0
    assert "warning" not in outcome.err
    assert results("old") == results("whole")


@pytest.mark.parametrize(("shards", "warned"), [(1, True), (4, False)])
def test_another_number_of_threads_matters_only_for_one_shard(
    shards: int, warned: bool, nn: Command, small: Path
) -> None:
    """With more shards resuming does not warn of it."""
    nn("train", small, "--set", f"training.shards={shards}", "--run-dir", "run")
    file = Path("run/run.json")
    description = json.loads(file.read_text())
    description["machine"]["threads"] = 99
    file.write_text(json.dumps(description))
    outcome = nn("train", "--resume", "run", "--set", "training.epochs=4")
    assert outcome.code == 0
    assert ("warning: threads was 99" in outcome.err) == warned
    assert outcome.err.count("warning") == warned


@pytest.mark.parametrize(
    ("override", "processes", "expected"),
    [
        ("seed=0", 3, "3 processes: their number must be a power of two, such as 2"),
        ("training.batch_size=2", 4, "training.batch_size: 2: is less than the 4 processes; start at most 2 of them, or try --set training.batch_size=128"),
        ("training.compiled=true", 2, "training.compiled: true: works in one process only; set it to false"),
        ("training.shards=2", 4, "training.shards: 2: cannot be shared evenly by 4 processes; start 1, 2 of them, or train anew with --set training.shards=4"),
        ("training.shards=8", 3, "training.shards: 8: cannot be shared evenly by 3 processes; start 1, 2, 4, 8 of them, or train anew with --set training.shards=4"),
    ],
)  # fmt: skip
def test_processes_that_cannot_share_a_batch_are_refused(override: str, processes: int, expected: str) -> None:
    from nn_cli.sharding import with_shards

    workers = Workers()
    workers.processes = processes
    with pytest.raises(ConfigError) as error:
        with_shards(parse_config("seed: 1", "my.yaml", [override]), workers)
    assert str(error.value) == expected


@pytest.mark.parametrize(("given", "processes", "shards"), [("null", 1, 1), ("null", 4, 4), ("8", 4, 8), ("8", 1, 8)])
def test_each_process_has_a_shard_unless_more_are_set(given: str, processes: int, shards: int) -> None:
    from nn_cli.sharding import with_shards

    workers = Workers()
    workers.processes = processes
    config = parse_config("seed: 1", "my.yaml", [f"training.shards={given}"])
    assert with_shards(config, workers).training.shards == shards
