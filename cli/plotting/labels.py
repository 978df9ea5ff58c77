"""The labels of groups of runs: the settings in which they differ, and no more."""

from collections.abc import Sequence

from mnist_nn.runs.comparing import SEED, Group, differing_keys, setting_text
from mnist_nn.runs.selecting import short_names

from ..fitting import shorten_middle
from ..text import printable

LONGEST_NUMBER, LONGEST_VALUE = 8, 20  # characters


def swept_keys(groups: Sequence[Group]) -> list[str]:
    """Return the keys in which the groups differ, without the seed, in the order of config.yaml."""
    return [key for key in differing_keys([group.records[0] for group in groups]) if key != SEED]


def value_label(group: Group, key: str) -> str:
    """Return a setting's value in at most LONGEST_VALUE characters. A long fraction is rounded to four digits."""
    value = group.settings[key]
    text = setting_text(value)
    if isinstance(value, float) and len(text) > LONGEST_NUMBER:
        text = f"{value:.4g}"
    return shorten_middle(printable(text), LONGEST_VALUE)


def group_labels(groups: Sequence[Group]) -> tuple[str, list[str]]:
    """Return a title for the legend, and the label of each group.

    One differing key is the title, and its values are the labels. Several keys are named in every label. Groups whose
    settings are the same have other examples, and show the digest of these. A single group has an empty label.
    """
    keys = swept_keys(groups)
    if len(keys) == 1:
        title, labels = short_names()[keys[0]], [value_label(group, keys[0]) for group in groups]
    else:
        title = ""
        labels = [", ".join(f"{short_names()[key]} {value_label(group, key)}" for key in keys) for group in groups]
    if len(set(labels)) < len(labels):
        labels = [
            f"{label}, data {group.data[:8]}".removeprefix(", ") for label, group in zip(labels, groups, strict=True)
        ]
    return title, labels
