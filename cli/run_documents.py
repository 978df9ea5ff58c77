"""The runs and groups of `nn runs` for other programs: as JSON and as CSV."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .text import printable

if TYPE_CHECKING:
    from mnist_nn.runs.comparing import Group, RunRecord


def runs_as_document(records: "Sequence[RunRecord]", keys: Sequence[str]) -> dict[str, Any]:
    """Return the document of `--json`. Its field names must not change: other programs read them."""
    return {"differing": list(keys), "runs": [_run(record) for record in records]}


def _run(record: "RunRecord") -> dict[str, Any]:
    return {
        "name": record.name,
        "path": str(record.path),
        "recipe": record.recipe,
        "number": record.number,
        "started": record.started,
        "status": record.status,
        "epochs": record.epochs,
        "seconds": record.seconds,
        "best_epoch": record.best.epoch if record.best else None,
        "accuracy": record.accuracy,
        "accuracy_on": record.accuracy_on,
        "settings": record.settings,
        "damage": record.damage or None,
        "test_accuracy": record.test_accuracy,
        "tested": record.test.time if record.test else None,
    }


def groups_as_document(groups: "Sequence[Group]", keys: Sequence[str]) -> dict[str, Any]:
    """Return the document of `--group --json`. Its field names must not change."""
    return {"differing": list(keys), "groups": [_group(group) for group in groups]}


def _group(group: "Group") -> dict[str, Any]:
    from mnist_nn.runs.comparing import SEED

    epochs = [record.epochs for record in group.records]
    return {
        "n": len(group.records),
        "status": dict(Counter(record.status for record in group.records)),
        "epochs": {"min": min(epochs), "max": max(epochs)},
        "accuracy_on": next((record.accuracy_on for record in group.records if record.accuracy_on), None),
        "accuracy": statistics_of(group.accuracies),
        "settings": group.settings,
        "data": group.data,
        "runs": [
            {
                "path": str(record.path),
                "seed": record.settings[SEED],
                "accuracy": record.accuracy,
                "test_accuracy": record.test_accuracy,
            }
            for record in group.records
        ],
        "test_accuracy": statistics_of(group.test_accuracies),
    }


def statistics_of(accuracies: Sequence[float]) -> dict[str, int | float | None]:
    """Return the number, mean, sample standard deviation, minimum and maximum. What does not exist is None."""
    from mnist_nn.runs.comparing import deviation, mean

    return {
        "n": len(accuracies),
        "mean": mean(accuracies),
        "deviation": deviation(accuracies),
        "min": min(accuracies, default=None),
        "max": max(accuracies, default=None),
    }


def runs_as_csv(records: "Sequence[RunRecord]", keys: Sequence[str]) -> str:
    """Return a table with the fields of `--json`. Of the settings it has only those in `keys`."""
    fields = ["name", "path", "recipe", "number", "started", "status", "epochs", "seconds", "best_epoch"]
    fields += ["accuracy", "accuracy_on", "damage", "test_accuracy", "tested"]
    rows = []
    for record in records:
        run = _run(record)
        rows.append([*(run[name] for name in fields), *(_cell(record.settings.get(key)) for key in keys)])
    return _as_csv([*fields, *keys], rows)


def groups_as_csv(groups: "Sequence[Group]", keys: Sequence[str]) -> str:
    """Return a table with a row for each group. Its `n` counts all runs of the group."""
    fields = ["n", "epochs_min", "epochs_max", "accuracy_on"]
    figures = [(name, key) for name in ("accuracy", "test_accuracy") for key in statistics_of([])]
    rows = []
    for group in groups:
        document = _group(group)
        values = [document["n"], document["epochs"]["min"], document["epochs"]["max"], document["accuracy_on"]]
        values += [document[name][key] for name, key in figures]
        rows.append([*values, *(_cell(group.settings[key]) for key in keys)])
    return _as_csv([*fields, *(f"{name}_{key}" for name, key in figures), *keys], rows)


def _cell(value: Any) -> Any:
    """Return a setting as a cell: sizes as every output prints them, tables of numbers whole, as JSON."""
    from mnist_nn.runs.comparing import setting_text

    is_table = isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], list))
    return json.dumps(value) if is_table else None if value is None else setting_text(value)


def _as_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return text.getvalue()
