"""evaluations.csv: what was measured is kept in the run, safely, and shown by `nn runs`."""

import csv
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from filelock import FileLock
from run_maker import make_measurable_run, make_run

from data_scripts.idx import read_split
from mnist_nn import Examples, fingerprint, load_checkpoint
from mnist_nn.errors import RunError
from mnist_nn.runs.comparing import group_by_setting, read_record, read_records
from mnist_nn.runs.evaluations import COLUMNS, MAX_BYTES, RecordedEvaluation, read_evaluations, record_evaluation
from mnist_nn.runs.run_directory import RunDirectory


def evaluation(**values: Any) -> RecordedEvaluation:
    """A plausible evaluation of the best epoch on MNIST's test set."""
    return RecordedEvaluation.model_validate(
        {
            "time": "2026-01-02T03:04:05.000006+00:00",
            "split": "test",
            "checkpoint": "best",
            "epoch": 1,
            "source": "mnist",
            "sha256": "a" * 64,
            "examples": 8,
            "correct": 6,
            "accuracy": 0.75,
            "cost": 0.25,
            "fingerprint": "b" * 64,
        }
        | values
    )


def rows(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "evaluations.csv").read_text().splitlines()))


# Written


def test_an_evaluation_is_recorded_in_the_run(nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    document = json.loads(nn("evaluate", run, "--json").out)
    (row,) = rows(run)
    network = load_checkpoint(run / "checkpoints/best.safetensors").network
    examples = Examples.from_labels(*read_split(digits, "test"), 10)
    digest = hashlib.sha256(examples.inputs.tobytes() + examples.targets.tobytes()).hexdigest()
    assert row.pop("time").endswith("+00:00")
    assert row == {
        "split": "test", "checkpoint": "best", "epoch": "1", "source": "idx", "sha256": digest, "examples": "100",
        "correct": str(document["correct"]), "accuracy": repr(document["accuracy"]), "cost": repr(document["cost"]),
        "fingerprint": fingerprint(network), "networks": "1", "committee_accuracy": "",
    }  # fmt: skip


def test_every_evaluation_adds_a_row(nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    for split in ("test", "validation", "train", "test"):
        assert nn("evaluate", run, "--split", split).code == 0
    nn("evaluate", run / "checkpoints/best.safetensors")
    nn("evaluate", run, "--checkpoint", "last")
    assert [row["split"] for row in rows(run)] == ["test", "validation", "train", "test", "test", "test"]
    assert [row["checkpoint"] for row in rows(run)] == [*["best"] * 5, "last"]


def test_the_digest_does_not_depend_on_deslanting(nn: Command, digits: Path) -> None:
    for name, deslant in (("a", False), ("b", True)):
        nn("evaluate", make_measurable_run(name, digits, {"data": {"deslant": deslant}}))
    assert rows(Path("a"))[0]["sha256"] == rows(Path("b"))[0]["sha256"]


def test_a_checkpoint_outside_a_run_records_nothing(nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    (run / "checkpoints/best.safetensors").rename("alone.safetensors")
    assert nn("evaluate", "alone.safetensors").code == 0
    assert not list(Path.cwd().rglob("evaluations.csv"))


def test_what_is_recorded_reads_back_the_same() -> None:
    run = RunDirectory(make_run("run"))
    several = [evaluation(), evaluation(cost=None, networks=3, committee_accuracy=0.875), evaluation(split="train")]
    for one in several:
        record_evaluation(run, one)
    assert read_evaluations(run) == several


def test_evaluations_at_the_same_time_lose_no_row() -> None:
    run = RunDirectory(make_run("run"))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda i: record_evaluation(run, evaluation(epoch=i)), range(40)))
    assert sorted(one.epoch for one in read_evaluations(run)) == list(range(40))


def test_a_run_being_trained_can_be_measured(nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    with FileLock(run / ".lock"):
        assert nn("evaluate", run).code == 0
    assert len(rows(run)) == 1


def test_a_full_disk_leaves_the_old_rows(monkeypatch: pytest.MonkeyPatch, nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    nn("evaluate", run)
    before = (run / "evaluations.csv").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = nn("evaluate", run)
    assert outcome.code == 0
    assert outcome.out.startswith("checkpoint  run/checkpoints/best.safetensors\n")
    assert outcome.err == (
        "this evaluation is not recorded: run/evaluations.csv: cannot be written: No space left on device\n"
    )
    assert (run / "evaluations.csv").read_bytes() == before
    assert not list(run.glob("*.nn-tmp"))


def test_a_lock_held_for_too_long_only_costs_the_row(
    monkeypatch: pytest.MonkeyPatch, nn: Command, digits: Path
) -> None:
    monkeypatch.setattr("mnist_nn.runs.evaluations.PATIENCE", 0.05)
    run = make_measurable_run("run", digits)
    with FileLock(run / ".evaluations.lock"):
        outcome = nn("evaluate", run)
    assert outcome.code == 0
    assert "this evaluation is not recorded: run/evaluations.csv: cannot be written: another process" in outcome.err


def test_what_cannot_be_written_is_only_noted(nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    (run / ".evaluations.lock").mkdir()
    outcome = nn("evaluate", run, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["examples"] == 100
    assert outcome.err.startswith("this evaluation is not recorded: run/evaluations.csv: cannot be written: ")


def test_a_linked_lock_leaves_its_target_alone(nn: Command, digits: Path) -> None:
    run = make_measurable_run("run", digits)
    Path("precious").write_text("my notes")
    (run / ".evaluations.lock").symlink_to("../precious")
    assert nn("evaluate", run).code == 0
    assert Path("precious").read_text() == "my notes"


def test_a_file_that_is_full_is_left_as_it_is() -> None:
    run = RunDirectory(make_run("run"))
    record_evaluation(run, evaluation())
    file = run.path / "evaluations.csv"
    header, row = file.read_text().splitlines()
    file.write_text("\n".join([header, *[row] * (MAX_BYTES // (len(row) + 1) - 1), ""]))
    before = file.read_bytes()
    with pytest.raises(RunError, match="is full, with 4,194,304 bytes; move it elsewhere to begin a new one"):
        record_evaluation(run, evaluation())
    assert file.read_bytes() == before


# Damaged

HEADER = ",".join(COLUMNS)
ROW = f"2026-01-02T03:04:05+00:00,test,best,1,mnist,{'a' * 64},8,6,0.75,0.25,{'b' * 64},1,"
DAMAGED = {
    "": "it is empty",
    "time\n": f"its columns are not {HEADER}",
    f"{HEADER}\n{ROW}\nx": "a row has not 13 values",
    f"{HEADER}\n{ROW.replace('test', 'tset')}\n": "split: 'tset': Input should be 'test', 'validation' or 'train'",
    f"{HEADER}\n{ROW.replace('0.75', '0.5')}\n": "accuracy 0.5 is not 6 / 8",
    f"{HEADER}\n{ROW.replace(',8,', ',0,')}\n": "examples: '0': Input should be greater than or equal to 1",
    f"{HEADER}\n{ROW.replace('0.25', 'nan')}\n": "cost: 'nan': Input should be a finite number",
    f"{HEADER}\n{ROW.replace('mnist', chr(27))}\n": r"source: '\x1b': String should match pattern",
    f"{HEADER}\n{ROW.replace(',1,', ',' + '9' * 5000 + ',')}\n": "epoch: '9999",
    f'{HEADER}\n"{ROW}\n': "unexpected end of data",
    f"{HEADER}\n\udcff\n": "'utf-8' codec can't decode byte 0xff",
}


@pytest.mark.parametrize("content", DAMAGED, ids=lambda text: text[-30:].encode("unicode_escape").decode())
def test_a_damaged_file_is_one_clear_line(content: str, nn: Command, digits: Path) -> None:
    """The result is printed all the same, and the file stays as it is."""
    run = make_measurable_run("runs/one", digits)
    (run / "evaluations.csv").write_bytes(os.fsencode(content))
    outcome = nn("evaluate", run)
    assert outcome.code == 0
    assert outcome.out.startswith("checkpoint")
    place = "runs/one/evaluations.csv: is damaged, or cannot be read: "
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"this evaluation is not recorded: {place}")
    assert DAMAGED[content] in line
    assert line.endswith("; restore it, or move it elsewhere")
    assert line.isprintable()
    assert (run / "evaluations.csv").read_bytes() == os.fsencode(content)


def test_a_run_with_damaged_evaluations_is_whole(nn: Command) -> None:
    (make_run("runs/a") / "evaluations.csv").write_text("x")
    record = read_record(RunDirectory(Path("runs/a")))
    assert (record.status, record.accuracy, record.test) == ("finished", 0.5, None)
    outcome = nn("runs")
    assert outcome.out.splitlines()[1].split()[:2] == ["a", "finished"]
    assert outcome.err.startswith("damaged: runs/a/evaluations.csv: is damaged, or cannot be read: its columns are")
    assert json.loads(nn("runs", "--json").out)["runs"][0]["damage"].startswith("runs/a/evaluations.csv")


@pytest.mark.parametrize(
    "make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/dev/zero")]
)
def test_a_file_that_is_none_makes_nobody_wait(make: Any, nn: Command, digits: Path) -> None:
    run = make_measurable_run("runs/one", digits)
    make(run / "evaluations.csv")
    assert nn("evaluate", run).code == 0
    assert nn("runs").code == 0


# Shown by `nn runs`


def test_the_table_shows_the_last_test_accuracy(nn: Command) -> None:
    make_run("runs/a", number=1)
    run = RunDirectory(make_run("runs/b", {"seed": 1}, number=2))
    assert nn("runs").out.splitlines()[0].split() == ["name", "status", "epochs", "seed", "accuracy", "time"]
    record_evaluation(run, evaluation(correct=4, accuracy=0.5))
    record_evaluation(run, evaluation())
    assert nn("runs").out.splitlines() == [
        "name  status    epochs  seed  accuracy    test   time",
        "a     finished       1     0    50.00%       –  1.5 s",
        "b     finished       1     1    50.00%  75.00%  1.5 s",
    ]


@pytest.mark.parametrize(
    "other", [{"split": "validation"}, {"checkpoint": "last"}, {"source": "synthetic"}, {"epoch": 2}], ids=str
)
def test_only_the_best_epoch_on_the_own_test_set_counts(other: dict[str, Any]) -> None:
    """An epoch that was the best before the run was extended is not it."""
    run = RunDirectory(make_run("run"))
    record_evaluation(run, evaluation(**other))
    assert read_record(run).test is None
    record_evaluation(run, evaluation())
    record_evaluation(run, evaluation(**other))
    assert read_record(run).test_accuracy == 0.75


def test_groups_show_the_mean_of_their_tests(nn: Command) -> None:
    for seed, correct in enumerate((4, 6, None)):
        run = RunDirectory(make_run(f"runs/{seed}", {"seed": seed}))
        if correct:
            record_evaluation(run, evaluation(correct=correct, accuracy=correct / 8))
    (group,) = group_by_setting(read_records(Path("runs")))
    assert group.test_accuracies == [0.5, 0.75]
    assert nn("runs", "--group").out.splitlines() == [
        "n    mean ± s.d.     test ± s.d.     min     max  epochs",
        "3  50.00% ± 0.00  62.50% ± 17.68  50.00%  50.00%       1",
    ]
    (row,) = csv.DictReader(nn("runs", "--group", "--csv").out.splitlines())
    assert (row["test_accuracy_n"], row["test_accuracy_mean"]) == ("2", "0.625")


def test_other_programs_get_the_test_accuracy_and_its_time(nn: Command) -> None:
    record_evaluation(RunDirectory(make_run("runs/a")), evaluation())
    (run,) = json.loads(nn("runs", "--json").out)["runs"]
    assert (run["test_accuracy"], run["tested"]) == (0.75, "2026-01-02T03:04:05.000006+00:00")
    (row,) = csv.DictReader(nn("runs", "--csv").out.splitlines())
    assert (row["test_accuracy"], row["tested"]) == ("0.75", "2026-01-02T03:04:05.000006+00:00")


def test_runs_can_be_sorted_by_their_test_accuracy(nn: Command) -> None:
    for name, correct in (("a", 6), ("b", 8), ("c", 4)):
        record_evaluation(RunDirectory(make_run(f"runs/{name}")), evaluation(correct=correct, accuracy=correct / 8))
    make_run("runs/d")
    out = nn("runs", "--sort", "-test").out
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["b", "a", "c", "d"]
