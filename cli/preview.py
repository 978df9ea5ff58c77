"""Preview of augmentation: a sheet of the distorted digits in the first epochs."""

from collections.abc import Sequence
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
    from mnist_nn.examples.augmentation import Distortion
    from mnist_nn.examples.shuffling import Shuffling

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
    originals, side = training.inputs[chosen], training.side
    distortion = Distortion(config.augmentation, side, config.seed)
    shuffling = Shuffling(config.seed, len(training), config.training.batch_size, steps=1)
    columns = [originals]
    for epoch in range(min(EPOCHS, config.training.epochs)):
        places = np.argsort(shuffling.order(epoch))[chosen]  # of the chosen rows in the order of this epoch
        columns.append(distortion(originals, epoch, places))
    images = [column.reshape(-1, side, side) for column in columns]
    rows = [[Captioned(image) for image in row] for row in zip(*images, strict=True)]
    captions = ["original", *(f"epoch {epoch}" for epoch in range(1, len(columns)))]
    rows[-1] = [Captioned(digit.image, caption) for digit, caption in zip(rows[-1], captions, strict=True)]
    write_sheet(OPTION, path, rows)
