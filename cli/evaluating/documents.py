"""What was measured, for other programs: the documents of `--json`. Field names must not change."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..run_documents import statistics_of

if TYPE_CHECKING:
    from mnist_nn.training.evaluation import Classification, Evaluation

    from .choosing import Choice
    from .measuring import Measured, Measurement


def one_as_document(found: "Measurement") -> dict[str, Any]:
    """Return the document of one network."""
    (network,) = found.networks
    result = network.evaluation
    return {
        "run": network.member.name,
        "checkpoint": str(network.member.path),
        "split": found.split,
        "examples": result.examples,
        **_figures(result),
        **_tables(result),
    }


def several_as_document(found: "Measurement", choice: "Choice | None") -> dict[str, Any]:
    """Return the document of several networks. `setting` is null for runs that were named."""
    committee = found.committee
    return {
        "split": found.split,
        "source": found.source,
        "examples": committee.examples,
        "setting": choice and _setting(choice),
        "runs": [_network(one) for one in found.networks],
        "accuracy": statistics_of(found.accuracies),
        "committee": {"correct": committee.correct, "accuracy": committee.accuracy, **_tables(committee)},
    }


def settings_as_document(choices: "Sequence[Choice]", measured: "Sequence[Measurement]") -> dict[str, Any]:
    """Return the document of `--each`: the document of each setting."""
    return {"settings": [several_as_document(found, one) for one, found in zip(choices, measured, strict=True)]}


def _setting(choice: "Choice") -> dict[str, Any]:
    """Return a setting with the best accuracy of its runs while they were trained."""
    return {
        "settings": choice.group.settings,
        "compared": choice.settings,
        "accuracy_on": choice.group.records[0].accuracy_on,
        "accuracy": statistics_of(choice.group.accuracies),
    }


def _network(one: "Measured") -> dict[str, Any]:
    return {"run": one.member.name, "checkpoint": str(one.member.path), **_figures(one.evaluation)}


def _figures(result: "Evaluation") -> dict[str, Any]:
    return {
        "correct": result.correct,
        "accuracy": result.accuracy,
        "cost": result.cost if math.isfinite(result.cost) else None,  # JSON has no infinity
    }


def _tables(result: "Classification") -> dict[str, Any]:
    return {
        "confusion": result.confusion.tolist(),
        "digits": [
            {"digit": digit, "precision": precision, "recall": recall, "support": int(support)}
            for digit, (precision, recall, support) in enumerate(
                zip(result.precision, result.recall, result.support, strict=True)
            )
        ],
    }
