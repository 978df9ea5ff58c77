"""Which setting of a sweep is measured: the best on the examples held out, before the test set is opened."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..run_table import explain_damage, means_with_deviation
from ..runs import shell_quoted
from ..text import counted, note, printable

if TYPE_CHECKING:
    from mnist_nn.runs.comparing import Group, RunRecord
    from mnist_nn.runs.selecting import Condition

UNFINISHED = ("running", "stopped", "interrupted")


@dataclass(frozen=True)
class Choice:
    """A setting that was chosen among `settings` ones: its finished runs, and the keys that tell the settings apart."""

    group: "Group"
    settings: int
    keys: Sequence[str]

    @property
    def name(self) -> str:
        """What tells the setting apart, such as "learning_rate=0.3"."""
        return setting_name(self.group.records[0], self.keys)


@dataclass(frozen=True)
class Candidates:
    """The runs of a directory from which a setting is chosen, and their settings, the best first.

    `planned` are the runs that a plan lists and that do not exist yet. `groups` have the finished runs alone. `others`
    are the runs from which nothing is chosen.
    """

    directory: Path
    records: "Sequence[RunRecord]"
    planned: "Sequence[RunRecord]"
    groups: "Sequence[Group]"
    others: "Sequence[RunRecord]" = ()

    @property
    def unfinished(self) -> "list[RunRecord]":
        """The runs that can still be finished, the running ones last. A diverged run cannot."""
        found = [*(record for record in self.records if record.status in UNFINISHED), *self.planned]
        return sorted(found, key=lambda record: record.status == "running")

    @property
    def keys(self) -> list[str]:
        """The keys in which the settings differ, the seed left out."""
        from mnist_nn.runs.comparing import SEED, differing_keys

        return [key for key in differing_keys([*self.records, *self.planned, *self.others]) if key != SEED]


def find_candidates(directory: Path, conditions: "Sequence[Condition]") -> Candidates:
    """Find the runs of a directory for which all conditions hold, and their settings.

    Damaged runs are left out, with a note. Raises UsageError if no run is left, RunError if none is finished.
    """
    from mnist_nn.errors import RunError
    from mnist_nn.runs.comparing import group_by_setting, read_records

    every = read_records(directory)
    explain_damage(every, left_out=True)
    whole = [record for record in every if record.status != "damaged"]
    records, planned = (
        [record for record in runs if all(condition.holds_for(record) for condition in conditions)]
        for runs in (whole, _planned(directory))
    )
    if conditions and not records and not planned:
        raise click.UsageError(f"--where: none of {counted(len(every), 'run')} in {directory} is like this")
    groups = group_by_setting([record for record in records if record.status == "finished" and record.best])
    chosen = {record.path for record in records}
    others = [record for record in whole if record.path not in chosen]
    found = Candidates(directory, records, planned, groups, others)
    if not groups:
        raise RunError(f"{directory}: none of its runs is finished{_way_out(found)}")
    return found


def _planned(directory: Path) -> "list[RunRecord]":
    """Return a record of each run that the plan of a sweep lists and that does not exist yet."""
    from mnist_nn.errors import NNError
    from mnist_nn.runs.comparing import RunRecord, settings_of
    from mnist_nn.sweeps.plan import trials
    from mnist_nn.sweeps.sweep_directory import SweepDirectory

    sweep = SweepDirectory(directory)
    if not sweep.exists:
        return []
    try:
        planned = [(sweep.run(trial), trial) for trial in trials(sweep.plan())]
    except NNError as error:
        note(f"warning: whether runs are missing cannot be said: {printable(str(error))}")
        return []
    return [
        RunRecord(run.path, "stopped", settings=settings_of(trial.config)) for run, trial in planned if not run.exists
    ]


def choose(candidates: Candidates) -> Choice:
    """Choose the setting with the highest mean accuracy on the examples held out, and say so on stderr.

    Raises RunError if the settings cannot be compared fairly: runs are unfinished, or the examples differ.
    """
    from mnist_nn.errors import RunError

    keys, unfinished = candidates.keys, candidates.unfinished
    every = [*candidates.records, *candidates.planned]
    if unfinished and len({setting_name(record, keys) for record in every}) > 1:
        raise RunError(
            f"{candidates.directory}: {len(unfinished):,} of {counted(len(every), 'run')} are not finished, so which "
            f"setting is the best is not known yet{_way_out(candidates)}"
        )
    _require_comparable(candidates)
    choice = Choice(candidates.groups[0], len(candidates.groups), keys)
    explain_choice(choice)
    explain_left_out(candidates, choice)
    return choice


def _way_out(candidates: Candidates) -> str:
    """Return how to finish the runs, as the end of an error."""
    if not candidates.unfinished:
        return ""
    if candidates.unfinished[0].status == "running":
        return "; wait for them, or choose a setting with --where"
    way = f"nn train --resume {shell_quoted(candidates.unfinished[0].path)}"
    if (candidates.directory / "plan.yaml").is_file():
        way = f"nn sweep --resume {shell_quoted(Path(candidates.directory.resolve().name))}"
    return f"; finish them with `{way}`, or choose a setting with --where"


def _require_comparable(candidates: Candidates) -> None:
    """Raise RunError unless the accuracies of all settings were measured on the same held-out examples."""
    from mnist_nn.errors import RunError

    if len(candidates.groups) < 2:
        return
    where = f"{candidates.directory}: "
    if any(record.accuracy_on == "train" for group in candidates.groups for record in group.records):
        raise RunError(
            f"{where}some runs hold no examples out (data.validation: 0), and accuracies on training examples choose "
            "nothing; choose a setting with --where, or measure all with --each"
        )
    first = candidates.groups[0]
    for group in candidates.groups[1:]:
        for key in ("data.source", "data.validation"):
            if group.settings[key] != first.settings[key]:
                raise RunError(
                    f"{where}{key} is {first.settings[key]} in some runs and {group.settings[key]} in others, so "
                    f"their accuracies cannot be compared; add --where {key}={first.settings[key]}, "
                    "or measure all with --each"
                )
        if group.settings["data.deslant"] == first.settings["data.deslant"] and group.data != first.data:
            raise RunError(
                f"{where}its runs were trained on different examples, so their accuracies cannot be compared; "
                "put the runs of each into a directory of their own, or measure all with --each"
            )


def explain_choice(choice: Choice) -> None:
    """Say on stderr which setting was chosen, and by what."""
    from ..terminal import Terminal

    (accuracy,) = means_with_deviation([choice.group.accuracies])
    figures = f"{choice.group.records[0].accuracy_on} accuracy {accuracy} (n = {len(choice.group.accuracies)})"
    if choice.settings > 1:
        figures = f"the best of {choice.settings:,} settings, {figures}"
    note(Terminal.from_stdout().spell_out(printable(f"{choice.name or 'all runs have one setting'}: {figures}")))


def explain_left_out(candidates: Candidates, choice: Choice | None = None) -> None:
    """Say on stderr how many runs, of the chosen setting if there is one, are not measured."""
    count = Counter[str]()
    for found, begun in ((candidates.records, True), (candidates.planned, False)):
        for record in found:
            if choice is None or setting_name(record, choice.keys) == choice.name:
                count[record.status if begun else "not begun"] += 1
    del count["finished"]
    if count:
        note(f"left out: {', '.join(f'{n:,} {status}' for status, n in sorted(count.items()))}")


def explain_opening(candidates: Candidates, choice: Choice, source: str) -> None:
    """Say on stderr that the test set was opened for this setting, and whether it was before for another."""
    for record in (*candidates.records, *candidates.others):
        opened = [one for one in record.evaluations if one.split == "test" and one.source == source]
        if opened and setting_name(record, choice.keys) != choice.name:
            note(
                f"warning: the test set was opened for another setting before, on {opened[0].time[:10]} "
                f"({printable(setting_name(record, choice.keys))}); if you choose among settings by their test "
                "accuracy, what you report is too high"
            )
            return
    if choice.keys:
        note("the test set was opened for this setting alone")


def setting_name(record: "RunRecord", keys: Sequence[str]) -> str:
    """Return the values of these keys, such as "learning_rate=0.3, momentum=0.9"."""
    from mnist_nn.runs.comparing import setting_text
    from mnist_nn.runs.selecting import short_names

    return ", ".join(f"{short_names()[key]}={setting_text(record.settings[key])}" for key in keys)
