"""The networks to measure: found, checked, and able to form a committee."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..runs import find_checkpoint, shell_quoted
from ..text import counted
from .split_loader import Split

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.runs.run_directory import CheckpointName, RunDirectory


@dataclass(frozen=True)
class DataChoice:
    """The options that say what to measure, None for the default: split, checkpoint, data source and directory."""

    split: Split | None = None
    checkpoint: "CheckpointName | None" = None
    source: str | None = None
    directory: str | None = None


@dataclass(frozen=True)
class Member:
    """A network to measure. `name` is the run or file as it was given, `config` has the data to measure on.

    `run` is None for a checkpoint file that is not in a run directory.
    """

    name: str
    path: Path
    run: "RunDirectory | None"
    config: "Config"


def chosen_split(members: Sequence[Member], options: DataChoice) -> Split:
    """Return the split to measure. Inline data have no test set."""
    return options.split or ("train" if members[0].config.data.source == "inline" else "test")


def find_members(runs: Sequence[str | None], options: DataChoice) -> list[Member]:
    """Find the networks to measure, and check that they can form a committee. None stands for the newest run.

    Raises UsageError for a network that is named twice, RunError for networks that cannot be measured together, and
    the errors of `find_checkpoint` and of loading a checkpoint.
    """
    members: dict[Path, Member] = {}
    for run in runs:
        if run is not None and len(runs) > 1:
            _refuse_several(run)
        member = _find_member(run, options)
        if members.setdefault(member.path.resolve(), member) is not member:
            raise click.UsageError(f"{member.name}: is named twice; a committee counts each network once")
    first, *others = members.values()
    for member in others:
        _require_fit(first, member)
    return [first, *others]


def _refuse_several(run: str) -> None:
    from mnist_nn.errors import RunError

    if holds_runs(Path(run)):
        raise RunError(
            f"{run}: holds several runs; measure it alone with `nn evaluate {shell_quoted(Path(run))}`, "
            "or name its runs"
        )


def holds_runs(path: Path) -> bool:
    """Whether `path` is a directory that is no run, but holds runs."""
    from mnist_nn.runs.comparing import runs_in
    from mnist_nn.runs.run_directory import RunDirectory

    return path.is_dir() and not RunDirectory(path).exists and bool(runs_in(path))


def _find_member(run: str | None, options: DataChoice) -> Member:
    """Return a network with its configuration. The network itself is loaded once more, to be measured."""
    from mnist_nn import load_checkpoint
    from mnist_nn.runs.run_directory import RunDirectory

    from ..data_directory import with_data

    path = find_checkpoint(run, options.checkpoint)
    config = with_data(load_checkpoint(path).config, options.source, options.directory)
    directory = RunDirectory(path.parent.parent)
    owned = directory.exists and path in (directory.checkpoint("best"), directory.checkpoint("last"))
    return Member(str(run or directory.path), path, directory if owned else None, config)


def _require_fit(first: Member, member: Member) -> None:
    """Raise RunError for networks that do not answer the same question, as far as their configurations show it."""
    from mnist_nn.errors import RunError

    outputs, others = member.config.network.sizes[-1], first.config.network.sizes[-1]
    if outputs != others:
        raise RunError(
            f"{member.name}: has {counted(outputs, 'output')}, but {first.name} has {others}; "
            "a committee averages equal numbers of outputs, so measure them one by one"
        )
    source, other = member.config.data.source, first.config.data.source
    if source != other:
        raise RunError(
            f"{member.name}: reads {source} data, but {first.name} {other} data; "
            "give both the same with --data-source, or measure them one by one"
        )
