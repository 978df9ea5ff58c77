"""Networks measured on the same examples, alone and as a committee, and recorded in their runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..text import note, printable
from .members import DataChoice, Member, chosen_split, find_members
from .split_loader import Split, SplitLoader

if TYPE_CHECKING:
    from mnist_nn import Examples
    from mnist_nn.examples.dataset import Labels
    from mnist_nn.runs.comparing import Group
    from mnist_nn.training.evaluation import Classification, Evaluation


@dataclass(frozen=True)
class Measured:
    """A network that was measured: its figures, the epochs of its training, and the digest of its parameters."""

    member: Member
    evaluation: "Evaluation"
    epoch: int
    fingerprint: str


@dataclass(frozen=True)
class Measurement:
    """What was found for one or several networks on the same examples, and for their committee.

    `examples` are those that the first network saw, `answers` are the committee's. `sha256` is the digest of the
    examples before any deslanting.
    """

    split: Split
    networks: "Sequence[Measured]"
    committee: "Classification"
    answers: "Labels"
    examples: "Examples"
    sha256: str

    @property
    def source(self) -> str:
        return self.networks[0].member.config.data.source

    @property
    def accuracies(self) -> list[float]:
        return [one.evaluation.accuracy for one in self.networks]


def measure_runs(runs: Sequence[str | Path], options: DataChoice | None = None) -> Measurement:
    """Measure run directories or checkpoint files together, and record the result in each run.

    Prints nothing but notes on stderr. Raises the errors of `find_members` and `measure`.
    """
    options = options or DataChoice()
    members = find_members([str(run) for run in runs], options)
    found = measure(members, SplitLoader(chosen_split(members, options)))
    record(found)
    return found


def measure_groups(groups: "Sequence[Group]", options: DataChoice | None = None) -> list[Measurement]:
    """Measure the runs of each group together, and record the results. All are found before the first is measured.

    Prints nothing but notes on stderr. Raises the errors of `find_members` and `measure`.
    """
    options = options or DataChoice()
    teams = [find_members([str(record.path) for record in group.records], options) for group in groups]
    loaders: dict[Split, SplitLoader] = {}
    measured = []
    for members in teams:
        split = chosen_split(members, options)
        found = measure(members, loaders.setdefault(split, SplitLoader(split)))
        record(found)
        measured.append(found)
    return measured


def measure(members: Sequence[Member], loader: SplitLoader) -> Measurement:
    """Measure networks one after the other, so that only one of them is in memory.

    Raises RunError if their examples are not the same, and the errors of loading networks and examples.
    """
    import numpy as np

    from mnist_nn import COSTS, evaluate, fingerprint, load_checkpoint
    from mnist_nn.training.committee import Committee

    first = _load(members[0], loader, named=len(members) > 1)
    sha256, committee, networks = loader.sha256(members[0].config), Committee(first), list[Measured]()
    for member in members:
        examples = _load(member, loader, named=len(members) > 1)
        _require_same_examples(members[0], member, sha256, loader)
        checkpoint = load_checkpoint(member.path)
        outputs = np.empty(examples.targets.T.shape, checkpoint.network.parameters.dtype)
        evaluation = evaluate(checkpoint.network, COSTS[member.config.cost], examples, out=outputs)
        committee.add(outputs)
        networks.append(Measured(member, evaluation, checkpoint.state.epoch, fingerprint(checkpoint.network)))
    _warn_of_copies(networks)
    return Measurement(loader.split, networks, committee.evaluate(), committee.answers, first, sha256)


def _load(member: Member, loader: SplitLoader, *, named: bool) -> "Examples":
    """Load the examples as the network sees them. With several networks an error names the network."""
    from mnist_nn.errors import ConfigError

    try:
        return loader.load(member.config)
    except ConfigError as error:
        raise ConfigError(f"{member.name}: {error}") from None if named else error


def _require_same_examples(first: Member, member: Member, sha256: str, loader: SplitLoader) -> None:
    from mnist_nn.errors import RunError

    if loader.sha256(member.config) != sha256:
        raise RunError(
            f"{member.name}: its {loader.split} examples are not those of {first.name}; "
            "give both the same with --data-source and --data-dir, or measure them one by one"
        )


def _warn_of_copies(networks: Sequence[Measured]) -> None:
    """Warn if two networks have the same parameters, as runs with the same configuration and seed have."""
    seen: dict[str, str] = {}
    for one in networks:
        if (other := seen.setdefault(one.fingerprint, one.member.name)) != one.member.name:
            note(
                f"warning: {printable(one.member.name)} and {printable(other)} are the same network, which counts twice"
            )
            return


def record(found: Measurement) -> None:
    """Record what was measured in each network's run. What cannot be recorded is told on stderr, and is no error."""
    from mnist_nn.errors import RunError
    from mnist_nn.runs.evaluations import RecordedEvaluation, record_evaluation
    from mnist_nn.runs.run_directory import now

    time, failures = now(), list[str]()
    for one in found.networks:
        if one.member.run is None:
            continue
        cost = one.evaluation.cost
        row = RecordedEvaluation(
            time=time,
            split=found.split,
            checkpoint="last" if one.member.path.stem == "last" else "best",
            epoch=one.epoch,
            source=found.source,
            sha256=found.sha256,
            examples=one.evaluation.examples,
            correct=one.evaluation.correct,
            accuracy=one.evaluation.accuracy,
            cost=cost if abs(cost) < float("inf") else None,
            fingerprint=one.fingerprint,
            networks=len(found.networks),
            committee_accuracy=found.committee.accuracy if len(found.networks) > 1 else None,
        )
        try:
            record_evaluation(one.member.run, row)
        except RunError as error:
            failures.append(str(error))
    if failures:
        more = f" (and {len(failures) - 1:,} more)" if len(failures) > 1 else ""
        note(f"this evaluation is not recorded: {printable(failures[0])}{more}")
