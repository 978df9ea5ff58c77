"""Learning-rate schedules: the factor on η in each epoch, counted from 0."""

import math

from ..configuration.schema import StepSchedule, TrainingConfig


def step(epoch: int, every: int, factor: float) -> float:
    """factor^⌊epoch / every⌋: η is multiplied by `factor` after each `every` epochs."""
    return float(factor ** (epoch // every))


def cosine(epoch: int, epochs: int) -> float:
    """½ (1 + cos(π epoch / epochs)): 1 in the first epoch, near 0 in the last (Loshchilov and Hutter 2017)."""
    return 0.5 * (1 + math.cos(math.pi * epoch / epochs))


def warmup(epoch: int, epochs: int) -> float:
    """(epoch + 1) / (epochs + 1), growing in equal steps to 1 after `epochs` epochs (Goyal et al. 2017)."""
    return min(1.0, (epoch + 1) / (epochs + 1))


def learning_rate(epoch: int, settings: TrainingConfig) -> float:
    """η in an epoch, by the warm-up and the schedule of the settings."""
    schedule = settings.schedule
    if isinstance(schedule, StepSchedule):
        factor = step(epoch, schedule.every, schedule.factor)
    elif schedule == "cosine":
        factor = cosine(epoch, settings.epochs)
    else:
        factor = 1.0
    return settings.learning_rate * factor * warmup(epoch, settings.warmup)
