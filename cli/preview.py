"""Preview of augmentation: a sheet of the distorted digits in the first epochs."""

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

from .sheet import Captioned, check_sheet, write_sheet

OPTION = "--preview-augmentation"
EPOCHS = 10


def preview_augmentation(path: Path, recipe: str, overrides: Sequence[str], data_dir: str | None) -> None:
    """Write a sheet with one row for each digit: its first training image, then the image in epochs 1, 2, ….

    Raises ConfigError if the configuration has no augmentation.
    """
    import numpy as np

    from mnist_nn import read_config
    from mnist_nn.errors import ConfigError
    from mnist_nn.examples.fresh_examples import fresh_examples

    from .data_directory import with_data
    from .loading import load_training

    check_sheet(OPTION, path)
    config = with_data(read_config(recipe, overrides), None, data_dir)
    if not config.augmentation.distorts:
        raise ConfigError(
            f"{OPTION}: {recipe} has no augmentation; add some, for example --set augmentation.rotation=10"
        )
    training, _ = load_training(config)
    _, chosen = np.unique(training.labels, return_index=True)
    training = training[: int(chosen.max()) + 1]  # a prefix: each image is distorted as in the whole set
    side = training.side
    epochs = islice(chain([training], fresh_examples(config, training, 0)), 1 + EPOCHS)
    columns = [examples.inputs[chosen].reshape(-1, side, side) for examples in epochs]
    rows = [[Captioned(image) for image in row] for row in zip(*columns, strict=True)]
    captions = ["original", *(f"epoch {epoch}" for epoch in range(1, len(columns)))]
    rows[-1] = [Captioned(digit.image, caption) for digit, caption in zip(rows[-1], captions, strict=True)]
    write_sheet(OPTION, path, rows)
