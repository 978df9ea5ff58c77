"""Distorted images follow the formulas, stay within the limits, and depend only on seed, epoch and place."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest

from mnist_nn import Config, Examples
from mnist_nn.configuration.schema import AugmentationConfig
from mnist_nn.examples.augmentation import BLOCK, Distortion, smoothing
from mnist_nn.examples.dataset import Labels
from mnist_nn.examples.fresh_examples import fresh_examples
from mnist_nn.examples.interpolation import CHUNK
from mnist_nn.examples.shuffling import Shuffling, Slice
from mnist_nn.randomness import stream

SIDE = 28
EVERYTHING = {"elastic": {"sigma": 3.0, "alpha": 20.0}, "rotation": 10.0, "shear": 0.1, "scaling": 0.1, "shift": 1.0}


def distorted(images: np.ndarray, seed: int = 0, **settings: object) -> np.ndarray:
    """The images as they are distorted at the first places of the first epoch."""
    flat = images.reshape(len(images), -1)
    distortion = Distortion(AugmentationConfig.model_validate(settings), images.shape[1], seed)
    return distortion(flat, 0, np.arange(len(flat))).reshape(images.shape)


def spot(x: int, y: int, copies: int = 200) -> np.ndarray:
    """Black images with a white square of 3 × 3 pixels around (x, y)."""
    images = np.zeros((copies, SIDE, SIDE), np.uint8)
    images[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    return images


def centres(images: np.ndarray) -> np.ndarray:
    """The centre of brightness (x, y) of each image."""
    weights = images.astype(float)
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([(weights * x).sum((1, 2)), (weights * y).sum((1, 2))], axis=1) / weights.sum((1, 2))[:, None]


def test_without_distortion_settings_images_stay_unchanged(random: np.random.Generator) -> None:
    images = random.integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8)
    np.testing.assert_array_equal(distorted(images), images)


def test_shift_is_at_most_the_configured_number_of_pixels() -> None:
    """The shifts along x and y are independent and go in both directions."""
    moved = centres(distorted(spot(13, 9), shift=3.0)) - [13, 9]
    assert np.abs(moved).max() <= 3.01
    assert np.abs(moved).max(axis=0).min() > 2.5
    assert moved.min(axis=0).max() < -2.5
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.3


def test_rotation_turns_about_the_centre_by_at_most_the_angle() -> None:
    """The distance from the centre stays the same."""
    centre = (SIDE - 1) / 2
    place = centres(distorted(spot(22, 14), rotation=30.0)) - centre
    np.testing.assert_allclose(np.hypot(*place.T), np.hypot(22 - centre, 14 - centre), atol=0.1)
    turned = np.degrees(np.arctan2(place[:, 1], place[:, 0]) - np.arctan2(14 - centre, 22 - centre))
    assert np.abs(turned).max() <= 30.5
    assert turned.max() > 25
    assert turned.min() < -25


def test_scaling_changes_width_and_height_independently() -> None:
    centre = (SIDE - 1) / 2
    factors = (centres(distorted(spot(20, 20), scaling=0.2)) - centre) / (20 - centre)
    assert factors.min() >= 0.79
    assert factors.max() <= 1.21
    assert np.ptp(factors, axis=0).min() > 0.3
    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.3


def test_shear_moves_pixels_sideways_in_proportion_to_their_height() -> None:
    centre = (SIDE - 1) / 2
    above, below = (centres(distorted(spot(13, y), shear=0.4)) - [13, y] for y in (6, 21))
    np.testing.assert_allclose(above[:, 0], -below[:, 0], atol=0.15)
    np.testing.assert_allclose(above[:, 1], 0, atol=0.05)
    assert 0.3 * (centre - 6) < np.abs(above[:, 0]).max() <= 0.41 * (centre - 6)


def test_smoothing_equals_a_gaussian_filter_of_width_sigma(random: np.random.Generator) -> None:
    """Smoothed white noise of variance 1 has covariance e^(−d²/4σ²) / 4πσ² at distance d.

    Each of the two products, one for each axis, contributes one factor.
    """
    for sigma in (2.0, 5.0):
        B = smoothing(SIDE, sigma)
        distance = np.arange(SIDE)[:, None] - np.arange(SIDE)
        expected = np.exp(-(distance**2) / (4 * sigma**2)) / (2 * np.sqrt(np.pi) * sigma)
        np.testing.assert_allclose(B @ B.T, expected, atol=2e-3 * expected.max())


def test_elastic_displacements_have_the_expected_size_and_vary_smoothly() -> None:
    """The size is α times the size of smoothed uniform noise.

    Neighbouring pixels move alike. Distant pixels move independently, and so do x and y.
    """
    sigma, alpha = 4.0, 34.0
    near, far, home = (
        centres(distorted(spot(x, 13, 2000), elastic={"sigma": sigma, "alpha": alpha})) - [x, 13] for x in (8, 20, 7)
    )
    expected = alpha / np.sqrt(3) / (2 * np.sqrt(np.pi) * sigma)
    np.testing.assert_allclose(home.std(axis=0), expected, rtol=0.12)
    assert np.corrcoef(home[:, 0], near[:, 0])[0, 1] > 0.9
    assert abs(np.corrcoef(home[:, 0], far[:, 0])[0, 1]) < 0.3
    assert abs(np.corrcoef(home.T)[0, 1]) < 0.1


def test_brightness_between_pixels_is_interpolated_along_both_axes() -> None:
    image = np.zeros((1, SIDE, SIDE), np.uint8)
    image[0, 10, 10] = 200
    found = [distorted(image, seed, shift=0.9)[0] for seed in range(20)]
    for moved in found:
        assert int(moved.sum()) == pytest.approx(200, abs=4)  # because each pixel is rounded
        assert (moved > 0).sum() in (1, 2, 3, 4)
        (x, y), reach = centres(moved[None])[0], moved[9:12, 9:12].astype(float)
        weights_x = np.maximum(0, 1 - np.abs(np.arange(9, 12) - x))
        weights_y = np.maximum(0, 1 - np.abs(np.arange(9, 12) - y))
        np.testing.assert_allclose(reach, 200 * np.outer(weights_y, weights_x), atol=3)


def test_pixels_shifted_out_are_lost_and_black_comes_in() -> None:
    white = np.full((300, SIDE, SIDE), 255, np.uint8)
    moved = distorted(white, shift=40.0)
    assert (moved.reshape(300, -1).max(axis=1) == 0).any()
    assert ((moved == 0) | (moved == 255)).mean() > 0.9
    assert (moved[:, 13, 13] == 255).any()


def test_every_image_is_distorted_differently(random: np.random.Generator) -> None:
    """This also holds for more images than one chunk holds."""
    count = CHUNK // SIDE**2 + 5  # more than one chunk
    images = np.repeat(random.integers(0, 256, (1, SIDE, SIDE), dtype=np.uint8), count, axis=0)
    found = distorted(images, rotation=20.0, shift=1.0).reshape(count, -1)
    assert len(np.unique(found, axis=0)) == count


def test_later_images_do_not_change_how_earlier_ones_are_distorted(random: np.random.Generator) -> None:
    """The result for the first images is the same, however many images follow."""
    images = random.integers(0, 256, (CHUNK // SIDE**2 + 5, SIDE, SIDE), dtype=np.uint8)
    np.testing.assert_array_equal(distorted(images[:3], **EVERYTHING), distorted(images, **EVERYTHING)[:3])


@pytest.mark.parametrize("settings", [{"rotation": 10.0, "shift": 1.0}, EVERYTHING], ids=["affine", "elastic"])
def test_places_in_any_order_and_number_give_the_same_images(
    settings: dict[str, object], random: np.random.Generator
) -> None:
    """Bit for bit: a subset, one image at a time, in any order."""
    n = CHUNK // SIDE**2 + 2 * BLOCK + 5  # more than one chunk, and part of a block
    images = random.integers(0, 256, (n, SIDE**2), dtype=np.uint8)
    distortion = Distortion(AugmentationConfig.model_validate(settings), SIDE, seed=3)
    whole = distortion(images, 2, np.arange(n))
    for places in (
        np.arange(n)[::-1],
        random.permutation(n),
        random.choice(n, n // 2, replace=False),
        np.arange(1, n, 7),
        np.delete(np.arange(n), BLOCK + 3),
        np.arange(BLOCK - 1, BLOCK + 1),
        np.array([n - 1, 0]),
        np.array([], np.intp),
    ):
        np.testing.assert_array_equal(distortion(images[places], 2, places), whole[places])
        fresh = Distortion(AugmentationConfig.model_validate(settings), SIDE, seed=3)
        np.testing.assert_array_equal(fresh(images[places], 2, places), whole[places])
    for place in (0, BLOCK, n - 1):
        np.testing.assert_array_equal(distortion(images[[place]], 2, np.array([place])), whole[[place]])
    assert (distortion(images, 3, np.arange(n)) != whole).any(axis=1).all()
    assert (distortion(images, 2, np.arange(n) + BLOCK) != whole).any(axis=1).all()


@pytest.mark.parametrize("side", [1, 2, 8, 200])
def test_images_of_other_sizes_are_distorted_too(side: int, random: np.random.Generator) -> None:
    images = random.integers(0, 256, (CHUNK // side**2 + 3 if side > 2 else 40, side, side), dtype=np.uint8)
    np.testing.assert_array_equal(distorted(images), images)
    shifted = distorted(np.full_like(images, 200), shift=0.4)
    assert 200 * 0.5 * 0.5 < shifted.mean() < 200
    assert (distorted(images, **EVERYTHING) != images).any()


def test_affine_distortion_scales_then_shears_then_rotates() -> None:
    """Calculates every point by the formula, about the centre, with loops and the same random numbers.

    The numbers of an image are those of its place within its block.
    """
    settings = {"rotation": 40.0, "scaling": 0.3, "shear": 0.5, "shift": 2.0}
    distortion = Distortion(AugmentationConfig.model_validate(settings), 8, seed=5)
    places = np.array([0, 1, BLOCK - 1, BLOCK, 5 * BLOCK + 3])
    distortion._set_points(4, np.unique(places // BLOCK), places)
    interpolation = distortion._interpolation
    for image, (block, within) in enumerate(zip(*np.divmod(places, BLOCK), strict=True)):
        drawn = stream(5, "augmentation", 4, int(block)).uniform(-1, 1, (6, BLOCK))
        angle, shear, scale_x, scale_y, shift_x, shift_y = drawn[:, within]
        turn = np.radians(40.0 * angle)
        R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        S = np.array([[1, 0.5 * shear], [0, 1]])
        D = np.diag([1 / (1 + 0.3 * scale_x), 1 / (1 + 0.3 * scale_y)])
        for y in range(8):
            for x in range(8):
                expected = R @ S @ D @ [x - 3.5, y - 3.5] + [2 * shift_x, 2 * shift_y] + 3.5 + 1  # 1: the black edge
                found = interpolation.x[image, 8 * y + x], interpolation.y[image, 8 * y + x]
                np.testing.assert_allclose(found, expected, rtol=1e-5)


def config(seed: int = 0, **augmentation: object) -> Config:
    values = {"seed": seed, "augmentation": augmentation, "network": {"sizes": [784, 10]}, "training": {"epochs": 4}}
    return Config.model_validate(values)


@pytest.fixture
def examples(random: np.random.Generator) -> Examples:
    images = random.integers(0, 256, (50, SIDE, SIDE), dtype=np.uint8)
    return Examples.from_labels(images, random.integers(0, 10, 50, dtype=np.uint8), 10)


def slices(
    config: Config, n: int, *, epoch: int = 0, step: int = 0, steps: int = 1000, rank: int = 0, processes: int = 1
) -> Iterator[Slice]:
    """The slices of all epochs from this step on, by default one for each epoch, with batches of 10."""
    shuffling = Shuffling(config.seed, n, 10, steps, rank, processes)
    return shuffling.slices(config.training.epochs, epoch, step)


Fresh = Iterator[tuple[Slice, Examples, Labels]]


def fresh(config: Config, examples: Examples, **cut: int) -> Fresh:
    return fresh_examples(config, examples, slices(config, len(examples), **cut))


def seen(config: Config, examples: Examples, **cut: int) -> dict[tuple[int, int], bytes]:
    """The image at each place of each epoch, by (epoch, place)."""
    found = {}
    for steps, distorted, rows in fresh(config, examples, **cut):
        assert len(rows) == len(steps.rows)
        for place, row in zip(steps.places, rows, strict=True):
            found[steps.epoch, int(place)] = distorted.inputs[row].tobytes()
    return found


def of_epoch(epoch: int, images: dict[tuple[int, int], bytes]) -> dict[tuple[int, int], bytes]:
    return {key: image for key, image in images.items() if key[0] == epoch}


def test_distortions_depend_only_on_seed_epoch_and_place(examples: Examples) -> None:
    """Different epochs and different seeds give different images."""
    whole = seen(config(rotation=10.0), examples)
    assert len(whole) == 4 * 50
    assert len(set(whole.values())) == 4 * 50
    assert seen(config(rotation=10.0), examples) == whole
    assert seen(config(rotation=10.0), examples, epoch=3) == of_epoch(3, whole)
    assert not set(seen(config(seed=1, rotation=10.0), examples).values()) & set(whole.values())


def test_each_image_is_the_distortion_of_the_row_at_its_place(examples: Examples) -> None:
    settings = config(rotation=10.0)
    found = seen(settings, examples, steps=2)
    distortion = Distortion(settings.augmentation, SIDE, settings.seed)
    for epoch in range(4):
        order = stream(settings.seed, "shuffle", epoch).permutation(50)
        images = distortion(examples.inputs[order], epoch, np.arange(50))
        assert of_epoch(epoch, found) == {(epoch, place): image.tobytes() for place, image in enumerate(images)}


@pytest.mark.parametrize("settings", [{"rotation": 10.0, "shift": 1.0}, EVERYTHING], ids=["affine", "elastic"])
def test_neither_slices_nor_processes_change_the_images(
    settings: dict[str, object], examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every place of the epoch is distorted by exactly one process, whatever number of images is distorted ahead."""
    whole = seen(config(**settings), examples)
    monkeypatch.setattr("mnist_nn.examples.fresh_examples.AHEAD", 12)
    for processes, steps in ((1, 1), (1, 3), (2, 2), (4, 1), (8, 5)):
        parts = [seen(config(**settings), examples, rank=i, processes=processes, steps=steps) for i in range(processes)]
        assert sum(map(len, parts)) == len(whole)
        assert {key: image for part in parts for key, image in part.items()} == whole
    rest = seen(config(**settings), examples, epoch=2, step=3, steps=1)
    assert rest == {key: image for key, image in whole.items() if key >= (2, 30)}


def test_originals_and_labels_stay_unchanged(examples: Examples) -> None:
    before = examples.inputs.copy()
    for steps, distorted, rows in fresh(config(rotation=10.0), examples, steps=2):
        np.testing.assert_array_equal(distorted.targets[rows], examples.targets[steps.rows])
        assert distorted.image_shape == examples.image_shape
        assert not np.shares_memory(distorted.inputs, examples.inputs)
    np.testing.assert_array_equal(examples.inputs, before)


def test_without_distortions_every_epoch_sees_the_originals(examples: Examples) -> None:
    reports = list(fresh(config(), examples, steps=2))
    assert len(reports) == 4 * 3
    assert all(shown is examples and rows is steps.rows for steps, shown, rows in reports)


def test_inputs_other_than_bytes_are_refused(examples: Examples) -> None:
    as_floats = Examples(examples.inputs / 255, examples.targets)
    with pytest.raises(ValueError, match=r"augmentation distorts images of bytes \(uint8\), not of float64"):
        next(fresh(config(rotation=10.0), as_floats))


@pytest.fixture
def one_slice_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distort one slice at a time, however few images it has."""
    monkeypatch.setattr("mnist_nn.examples.fresh_examples.AHEAD", 1)


def test_the_next_slice_is_prepared_while_this_one_trains(
    examples: Examples, monkeypatch: pytest.MonkeyPatch, one_slice_ahead: None
) -> None:
    """Its images have their own memory. The thread prepares only one slice in advance."""
    done = [threading.Event() for _ in range(4)]
    call, count = Distortion.__call__, iter(range(4))

    def watched(self: Distortion, *arguments: object) -> object:
        images = call(self, *arguments)  # type: ignore[arg-type]
        done[next(count)].set()
        return images

    monkeypatch.setattr(Distortion, "__call__", watched)
    coming = fresh(config(rotation=10.0), examples, steps=2)
    _, first, _ = next(coming)
    before = first.inputs.copy()
    assert len(before) == 20
    assert done[1].wait(10)
    np.testing.assert_array_equal(first.inputs, before)  # the next slice's images have their own memory
    assert not done[2].is_set()
    coming.close()
    assert not done[2].is_set()


def test_slices_of_one_epoch_are_distorted_together(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many that they have AHEAD images or a little more. The next epoch is prepared while this one is measured."""
    monkeypatch.setattr("mnist_nn.examples.fresh_examples.AHEAD", 25)
    call, together = Distortion.__call__, []

    def watched(self: Distortion, images: np.ndarray, epoch: int, places: Labels) -> object:
        together.append((epoch, places.tolist()))
        return call(self, images, epoch, places)

    monkeypatch.setattr(Distortion, "__call__", watched)
    places = [steps.places.tolist() for steps, _, _ in fresh(config(rotation=10.0), examples, steps=1)]
    assert places == 4 * [list(range(start, start + 10)) for start in range(0, 50, 10)]
    assert together == [(epoch, list(part)) for epoch in range(4) for part in (range(30), range(30, 50))]


def test_the_background_thread_ends_with_training(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    before, begun, call = set(threading.enumerate()), threading.Event(), Distortion.__call__

    def slow(self: Distortion, *arguments: object) -> object:
        if threading.current_thread() is not threading.main_thread() and begun.is_set():
            time.sleep(0.2)
        begun.set()
        return call(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Distortion, "__call__", slow)
    coming = fresh(config(rotation=10.0), examples)
    next(coming)
    (thread,) = set(threading.enumerate()) - before
    coming.close()
    assert not thread.is_alive()


def images_of(coming: Fresh) -> list[bytes]:
    return [distorted.inputs.tobytes() for _, distorted, _ in coming]


def test_a_forked_process_sees_the_same_images(
    examples: Examples, monkeypatch: pytest.MonkeyPatch, one_slice_ahead: None
) -> None:
    """The child has no thread, and the parent's has not prepared the next slice at the fork."""
    expected = images_of(fresh(config(rotation=10.0), examples, steps=2))
    calls, forked, call = count(), threading.Event(), Distortion.__call__

    def waiting(self: Distortion, *arguments: object) -> object:
        if next(calls) == 1 and threading.current_thread() is not threading.main_thread():
            forked.wait(60)
        return call(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Distortion, "__call__", waiting)
    coming = fresh(config(rotation=10.0), examples, steps=2)
    first = next(coming)[1].inputs.tobytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, fork warns of threads
        child = os.fork()
    if not child:
        signal.alarm(30)
        os._exit(0 if [first, *images_of(coming)] == expected else 1)
    forked.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [first, *images_of(coming)] == expected


def test_without_any_thread_the_images_are_the_same(
    examples: Examples, monkeypatch: pytest.MonkeyPatch, one_slice_ahead: None
) -> None:
    expected = images_of(fresh(config(rotation=10.0), examples, steps=2))

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert images_of(fresh(config(rotation=10.0), examples, steps=2)) == expected


def test_an_error_while_distorting_reaches_the_caller(examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(Distortion, "__call__", fail)
    with pytest.raises(MemoryError, match="no room"):
        next(fresh(config(rotation=10.0), examples))
