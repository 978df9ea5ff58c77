"""`nn evaluate` of several runs: each, their mean, their committee; and of the best setting of a sweep."""

import csv
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command
from filelock import FileLock
from run_maker import describe, make_measurable_run

from data_scripts.idx import read_split, write_idx
from mnist_nn import COSTS, Examples, deslant, evaluate, load_checkpoint

FIGURES = ["correct", "accuracy", "cost"]


@pytest.fixture
def runs(digits: Path) -> list[Path]:
    """Three runs that differ in the seed."""
    return [make_measurable_run(f"runs/{seed}", digits, {"seed": seed}, number=seed) for seed in range(3)]


@pytest.fixture
def sweep(digits: Path) -> Path:
    """Two learning rates with two seeds each. The better one on validation is 0.25."""
    for number, (rate, seed, accuracy) in enumerate(
        ((0.5, 0, 0.5), (0.5, 1, 0.625), (0.25, 0, 0.875), (0.25, 1, 0.75)), 1
    ):
        settings = {"seed": seed + int(10 * rate), "training": {"learning_rate": rate}}
        make_measurable_run(f"sweep/{rate}-{seed}", digits, settings, accuracy=accuracy, number=number)
    return Path("sweep")


def outputs(run: Path, examples: Examples) -> np.ndarray:
    network = load_checkpoint(run / "checkpoints/best.safetensors").network
    a = np.empty((10, len(examples)), np.float32)
    evaluate(network, COSTS["squared_error"], examples, out=a)
    return a


def evaluated(run: Path) -> int:
    """The number of recorded evaluations."""
    file = run / "evaluations.csv"
    return len(list(csv.DictReader(file.read_text().splitlines()))) if file.exists() else 0


# Runs that are named


def test_each_run_and_the_committee_are_measured(nn: Command, runs: list[Path], digits: Path) -> None:
    document = json.loads(nn("evaluate", *runs, "--json").out)
    examples = Examples.from_labels(*read_split(digits, "test"), 10)
    average = np.mean([outputs(run, examples) for run in runs], axis=0, dtype=float)
    right = average.argmax(axis=0) == examples.labels
    assert document["committee"]["correct"] == right.sum()
    assert document["committee"]["accuracy"] == right.sum() / 100
    for run, found in zip(runs, document["runs"], strict=True):
        alone = json.loads(nn("evaluate", run, "--json").out)
        assert found == {name: alone[name] for name in ("run", "checkpoint", *FIGURES)}
    accuracies = [found["accuracy"] for found in document["runs"]]
    assert document["accuracy"]["mean"] == pytest.approx(statistics.fmean(accuracies))
    assert document["accuracy"]["deviation"] == pytest.approx(statistics.stdev(accuracies))


def test_the_json_has_exactly_the_documented_fields(nn: Command, runs: list[Path], sweep: Path) -> None:
    fields = ["split", "source", "examples", "setting", "runs", "accuracy", "committee"]
    document = json.loads(nn("evaluate", *runs, "--json").out)
    assert list(document) == fields
    assert document["setting"] is None
    assert (document["split"], document["source"], document["examples"]) == ("test", "idx", 100)
    assert [list(run) for run in document["runs"]] == [["run", "checkpoint", *FIGURES]] * 3
    assert list(document["accuracy"]) == ["n", "mean", "deviation", "min", "max"]
    assert list(document["committee"]) == ["correct", "accuracy", "confusion", "digits"]
    assert [list(digit) for digit in document["committee"]["digits"]] == [
        ["digit", "precision", "recall", "support"]
    ] * 10
    chosen = json.loads(nn("evaluate", sweep, "--json").out)
    assert list(chosen) == fields
    assert list(chosen["setting"]) == ["settings", "compared", "accuracy_on", "accuracy"]
    each = json.loads(nn("evaluate", sweep, "--each", "--json").out)
    assert list(each) == ["settings"]
    assert [list(one) for one in each["settings"]] == [fields] * 2


def test_the_text_has_a_line_for_each_run(nn: Command, runs: list[Path]) -> None:
    document = json.loads(nn("evaluate", *runs, "--json").out)
    outcome = nn("evaluate", *runs)
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["name", "seed", "accuracy", "wrong"]
    for i, run in enumerate(document["runs"]):
        assert lines[1 + i].split() == [str(i), str(i), f"{100 * run['accuracy']:.2f}%", str(100 - run["correct"])]
    mean, deviation = (100 * document["accuracy"][key] for key in ("mean", "deviation"))
    assert "data         idx, test split, 100 examples" in lines
    assert f"mean ± s.d.  {mean:.2f}% ± {deviation:.2f}  (n = 3)" in lines
    committee = document["committee"]
    assert f"committee    {100 * committee['accuracy']:.2f}%  ({100 - committee['correct']} wrong)" in lines
    assert (outcome.code, outcome.err) == (0, "")


def test_the_order_of_the_runs_does_not_matter(nn: Command, runs: list[Path]) -> None:
    forwards, backwards = (json.loads(nn("evaluate", *order, "--json").out) for order in (runs, runs[::-1]))
    assert forwards["committee"] == backwards["committee"]
    assert forwards["runs"] == backwards["runs"][::-1]


def test_the_committee_is_recorded_in_each_run(nn: Command, runs: list[Path]) -> None:
    document = json.loads(nn("evaluate", *runs, "--json").out)
    for run, found in zip(runs, document["runs"], strict=True):
        (row,) = csv.DictReader((run / "evaluations.csv").read_text().splitlines())
        assert (row["networks"], float(row["accuracy"])) == ("3", found["accuracy"])
        assert float(row["committee_accuracy"]) == document["committee"]["accuracy"]


def test_networks_of_other_settings_form_a_committee(nn: Command, digits: Path) -> None:
    """Each sees the examples as it was trained to: deslanted or not."""
    small = make_measurable_run("small", digits, {"network": {"activation": "tanh"}, "cost": "cross_entropy"}, hidden=5)
    upright = make_measurable_run("upright", digits, {"seed": 1, "data": {"deslant": True}})
    document = json.loads(nn("evaluate", small, upright, "--json").out)
    images, labels = read_split(digits, "test")
    plain, sheared = Examples.from_labels(images, labels, 10), Examples.from_labels(deslant(images), labels, 10)
    average = (outputs(upright, sheared).astype(float) + outputs(small, plain)) / 2
    assert document["committee"]["correct"] == (average.argmax(axis=0) == labels).sum()
    assert "name     seed  deslant  sizes      activation  cost" in nn("evaluate", small, upright).out


def test_the_test_set_is_loaded_once(nn: Command, runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from nn_cli.evaluating import split_loader

    loaded = []
    real = split_loader.load_split
    monkeypatch.setattr(split_loader, "load_split", lambda *given: loaded.append(given) or real(*given))
    assert nn("evaluate", *runs).code == 0
    assert len(loaded) == 1


def test_the_committees_misread_digits_are_drawn(
    nn: Command, runs: list[Path], digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("nn_cli.misread.write_sheet", lambda *given: drawn.append(given))
    monkeypatch.setattr("nn_cli.misread.MAX_DIGITS", 1000)
    committee = json.loads(nn("evaluate", *runs, "--misread", "sheet.png", "--json").out)["committee"]
    ((_, _, rows),) = drawn
    captions = [digit.caption for row in rows for digit in row]
    confusion = np.array(committee["confusion"])
    for caption in captions:
        confusion[tuple(int(digit) for digit in caption.split("  as  "))] -= 1
    assert len(captions) == 100 - committee["correct"]
    np.testing.assert_array_equal(confusion, np.diag(np.diag(confusion)))


def test_the_same_network_twice_is_noticed(nn: Command, digits: Path) -> None:
    for name in ("a", "b"):
        make_measurable_run(name, digits)
    assert nn("evaluate", "a", "b").err == "warning: b and a are the same network, which counts twice\n"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_text_fits_the_terminal(
    width: int, nn: Command, digits: Path, sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "a-run-with-a-name-as-long-as-that-20261125-010203-a1b2c3"
    runs = [make_measurable_run(f"runs/{long}-{hidden}", digits, hidden=hidden) for hidden in (3, 4)]
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (runs, [sweep], [sweep, "--each"]):
        outcome = nn("evaluate", *arguments)
        assert outcome.code == 0
        assert max(map(len, outcome.out.splitlines())) <= width


# A directory of runs


def test_the_best_setting_on_validation_is_measured(nn: Command, sweep: Path) -> None:
    outcome = nn("evaluate", sweep)
    assert outcome.err == (
        "learning_rate=0.25: the best of 2 settings, validation accuracy 81.25% ± 8.84 (n = 2)\n"
        "the test set was opened for this setting alone\n"
    )
    assert [line.split()[0] for line in outcome.out.splitlines()[1:3]] == ["0.25-0", "0.25-1"]
    assert [evaluated(sweep / name) for name in ("0.25-0", "0.25-1", "0.5-0", "0.5-1")] == [1, 1, 0, 0]


def test_the_document_of_a_sweep_names_the_setting(nn: Command, sweep: Path) -> None:
    setting = json.loads(nn("evaluate", sweep, "--json").out)["setting"]
    assert setting["settings"]["training.learning_rate"] == 0.25
    assert "seed" not in setting["settings"]
    assert (setting["compared"], setting["accuracy_on"]) == (2, "validation")
    assert (setting["accuracy"]["n"], setting["accuracy"]["mean"]) == (2, 0.8125)


def test_another_setting_can_be_chosen(nn: Command, sweep: Path) -> None:
    outcome = nn("evaluate", sweep, "--where", "learning_rate=0.5")
    assert outcome.err.startswith("learning_rate=0.5: validation accuracy 56.25% ± 8.84 (n = 2)\n")
    assert [evaluated(sweep / name) for name in ("0.25-0", "0.5-0")] == [0, 1]


def test_a_second_choice_after_the_test_is_warned_of(nn: Command, sweep: Path) -> None:
    nn("evaluate", sweep)
    assert "warning" not in nn("evaluate", sweep).err
    assert "warning" not in nn("evaluate", sweep, "--where", "learning_rate=0.5", "--split", "validation").err
    lines = nn("evaluate", sweep, "--where", "learning_rate=0.5").err.splitlines()
    assert lines[1].startswith("warning: the test set was opened for another setting before, on 20")
    assert lines[1].endswith(
        "(learning_rate=0.25); if you choose among settings by their test accuracy, what you report is too high"
    )
    assert lines[2:] == []


def test_each_setting_can_be_measured(nn: Command, sweep: Path) -> None:
    outcome = nn("evaluate", sweep, "--each")
    assert outcome.err == "the test set was opened for 2 settings; do not choose among them by it\n"
    header, best, second = outcome.out.splitlines()
    assert header.split() == ["learning_rate", "n", "mean", "±", "s.d.", "test", "±", "s.d.", "committee"]
    assert best.split()[:5] == ["0.25", "2", "81.25%", "±", "8.84"]
    assert second.split()[:5] == ["0.5", "2", "56.25%", "±", "8.84"]
    assert {evaluated(run) for run in sweep.iterdir()} == {1}
    one = json.loads(nn("evaluate", sweep, "--each", "--json").out)["settings"][0]
    alone = json.loads(nn("evaluate", sweep, "--json").out)
    assert one == alone


@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        ("interrupted", "finish them with `nn train --resume sweep/0.5-1`, or choose a setting with --where"),
        ("stopped", "finish them with `nn train --resume sweep/0.5-1`, or choose a setting with --where"),
        ("running", "wait for them, or choose a setting with --where"),
    ],
)
def test_nothing_is_chosen_while_runs_are_unfinished(status: str, way_out: str, nn: Command, sweep: Path) -> None:
    describe(sweep / "0.5-1", status="running" if status == "stopped" else status)
    with FileLock(sweep / "0.5-1/.lock" if status == "running" else "lock"):
        outcome = nn("evaluate", sweep)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error == (
        f"Error: sweep: 1 of 4 runs are not finished, so which setting is the best is not known yet; {way_out}"
    )
    assert {evaluated(run) for run in sweep.iterdir() if run.is_dir()} == {0}


def test_unfinished_runs_of_a_named_setting_are_left_out(nn: Command, sweep: Path) -> None:
    describe(sweep / "0.5-1", status="interrupted")
    outcome = nn("evaluate", sweep, "--where", "learning_rate=0.5")
    assert outcome.err.splitlines()[:2] == [
        "learning_rate=0.5: validation accuracy 50.00% (n = 1)", "left out: 1 interrupted",
    ]  # fmt: skip
    assert json.loads(nn("evaluate", sweep, "--where", "learning_rate=0.5", "--json").out)["accuracy"]["n"] == 1


def test_diverged_and_damaged_runs_are_left_out(nn: Command, sweep: Path) -> None:
    describe(sweep / "0.25-1", status="diverged")
    (sweep / "0.5-1/run.json").write_text("{")
    outcome = nn("evaluate", sweep)
    assert outcome.code == 0
    assert outcome.err.startswith("damaged: sweep/0.5-1/run.json: does not describe a run: Invalid JSON")
    assert outcome.err.splitlines()[1:] == [
        "1 damaged run left out",
        "learning_rate=0.25: the best of 2 settings, validation accuracy 87.50% (n = 1)",
        "left out: 1 diverged",
        "the test set was opened for this setting alone",
    ]


def test_runs_that_a_plan_lists_are_waited_for(nn: Command) -> None:
    """The way out names the sweep."""
    options = ["--grid", "training.learning_rate=0.5,1", "--seeds", "2", "--set", "training.epochs=1", "--jobs", "1"]
    assert nn("sweep", "chain", *options, "--name", "lr", "--quiet").code == 0
    runs = sorted(path for path in Path("sweeps/lr").iterdir() if path.is_dir())
    runs[0].rename("elsewhere")
    outcome = nn("evaluate", "sweeps/lr", "--split", "train")
    assert outcome.error == (
        "Error: sweeps/lr: 1 of 4 runs are not finished, so which setting is the best is not known yet; "
        "finish them with `nn sweep --resume lr`, or choose a setting with --where"
    )


def test_settings_on_other_examples_are_not_compared(nn: Command, sweep: Path, digits: Path) -> None:
    make_measurable_run("sweep/x", digits, {"data": {"validation": 40}})
    assert nn("evaluate", sweep).error == (
        "Error: sweep: data.validation is 50 in some runs and 40 in others, so their accuracies cannot be compared; "
        "add --where data.validation=50, or measure all with --each"
    )
    describe(Path("sweep/x"), data={"sha256": "other"})
    for run in sweep.iterdir():
        describe(run, data={"sha256": run.name})
    assert "its runs were trained on different examples" in nn("evaluate", sweep, "--where", "data.validation=50").error
    assert nn("evaluate", sweep, "--each").code == 0


def test_training_accuracies_choose_no_setting(nn: Command, digits: Path) -> None:
    for rate in (0.25, 0.5):
        settings = {"data": {"validation": 0}, "training": {"learning_rate": rate}}
        make_measurable_run(f"sweep/{rate}", digits, settings, held_out=False)
    assert nn("evaluate", "sweep").error == (
        "Error: sweep: some runs hold no examples out (data.validation: 0), and accuracies on training examples choose "
        "nothing; choose a setting with --where, or measure all with --each"
    )
    assert nn("evaluate", "sweep", "--where", "learning_rate=0.5").code == 0
    assert nn("evaluate", "sweep", "--each").err.endswith("because none are held out\n")


# Mistakes


def test_networks_that_cannot_be_averaged_are_refused(nn: Command, digits: Path, tmp_path: Path) -> None:
    """The line names both, and nothing was measured."""
    one = make_measurable_run("one", digits)
    wide = make_measurable_run("wide", digits, {"network": {"sizes": [784, 12, 11]}})
    drawn = make_measurable_run("drawn", digits, {"data": {"source": "synthetic", "dir": None}})
    images, labels = read_split(digits, "test")
    (tmp_path / "other").mkdir()
    write_idx(tmp_path / "other/t10k-images-idx3-ubyte", 255 - images)
    write_idx(tmp_path / "other/t10k-labels-idx1-ubyte", labels)
    inverted = make_measurable_run("inverted", tmp_path / "other")
    assert nn("evaluate", one, wide).error == (
        "Error: wide: has 11 outputs, but one has 10; a committee averages equal numbers of outputs, "
        "so measure them one by one"
    )
    assert nn("evaluate", one, drawn).error == (
        "Error: drawn: reads synthetic data, but one idx data; give both the same with --data-source, "
        "or measure them one by one"
    )
    outcome = nn("evaluate", one, inverted)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error == (
        "Error: inverted: its test examples are not those of one; give both the same with --data-source and "
        "--data-dir, or measure them one by one"
    )
    assert {evaluated(run) for run in (one, wide, drawn, inverted)} == {0}
    assert nn("evaluate", one, inverted, "--data-dir", digits).code == 0


BAD = [
    (["runs/0", "runs/0/"], 2, "Error: runs/0/: is named twice; a committee counts each network once"),
    (
        ["runs/0", "runs/1/../0/checkpoints/best.safetensors"],
        2,
        "Error: runs/1/../0/checkpoints/best.safetensors: is named twice",
    ),
    (["runs/0", "nowhere"], 1, "Error: nowhere: there is no such run directory or checkpoint"),
    (
        ["runs/0", "runs"],
        1,
        "Error: runs: holds several runs; measure it alone with `nn evaluate runs`, or name its runs",
    ),
    (["runs/0", "empty"], 1, "Error: empty: is not a run directory (it holds no run.json)"),
    (["empty"], 1, "Error: empty: is not a run directory (it holds no run.json)"),
    (["runs/0", "--each"], 2, "Error: --each needs a directory that holds runs, such as runs or a sweep"),
    (["--where", "seed=0"], 2, "Error: --where needs a directory that holds runs, such as runs or a sweep"),
    (["runs", "--where", "seed=9"], 2, "Error: --where: none of 3 runs in runs is like this"),
    (["runs", "--where", "sed=9"], 2, "Error: --where sed=9: unknown key; did you mean seed?"),
    (
        ["runs", "--each", "--misread", "x.png"],
        2,
        "Error: --misread draws for one setting; leave out --each, or choose one with --where",
    ),
    (["runs", "--misread", "runs"], 2, "Error: --misread runs: is a directory; give a file name"),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), BAD, ids=[" ".join(case[0]) for case in BAD])
def test_a_mistake_gets_a_one_line_error(
    arguments: list[str], code: int, expected: str, nn: Command, runs: list[Path]
) -> None:
    Path("empty").mkdir()
    outcome = nn("evaluate", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.error.startswith(expected)


def test_a_broken_network_stops_before_anything_is_opened(nn: Command, runs: list[Path]) -> None:
    (runs[2] / "checkpoints/best.safetensors").write_bytes(b"x" * 100)
    outcome = nn("evaluate", *runs)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("Error: runs/2/checkpoints/best.safetensors: is not a checkpoint")
    assert {evaluated(run) for run in runs} == {0}


def test_a_directory_without_a_finished_run_is_refused(nn: Command, runs: list[Path]) -> None:
    for run in runs:
        describe(run, status="interrupted")
    assert nn("evaluate", "runs").error == (
        "Error: runs: none of its runs is finished; finish them with `nn train --resume runs/0`, "
        "or choose a setting with --where"
    )
