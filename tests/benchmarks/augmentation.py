"""Measure how long it takes to distort an epoch on one thread: `python tests/benchmarks/augmentation.py`."""

import time

import click
import numpy as np
from threadpoolctl import threadpool_limits
from work import digits

from mnist_nn.configuration.schema import AugmentationConfig
from mnist_nn.examples.augmentation import Distortion

KINDS = {
    "nothing, but looked up between the pixels": {},
    "rotation and scaling": {"rotation": 10.0, "scaling": 0.12},
    "rotation, scaling and elastic": {"rotation": 10.0, "scaling": 0.12, "elastic": {"sigma": 5.0, "alpha": 36.0}},
}
TURNS = 7


@click.command()
def main() -> None:
    """Distort 60,000 images of 28 × 28 seven times in each way, and print the median and the shortest time."""
    images = digits()[0].reshape(60_000, -1)
    places = np.arange(len(images))
    with threadpool_limits(1, user_api="blas"):
        for kind, settings in KINDS.items():
            distortion = Distortion(AugmentationConfig.model_validate(settings), 28, seed=0)
            times = []
            for turn in range(TURNS):
                start = time.perf_counter()
                distortion(images, turn, places)
                times.append(time.perf_counter() - start)
            click.echo(f"{kind}: {np.median(times):.2f} s, at best {min(times):.2f} s")


if __name__ == "__main__":
    main()
