"""Distances between the histograms of masks, on histograms whose distances are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from graphon_lib.convergence import cauchy_distances, distance_matrix, distances_to_widest, relative

BLOCKS = 4


def pattern(seed: int) -> np.ndarray:
    """A (BLOCKS, BLOCKS) pattern of mean zero: added to a histogram, it leaves the mean as it was."""
    drawn = np.random.default_rng(seed).normal(size=(BLOCKS, BLOCKS))
    return np.asarray(drawn - drawn.mean())


def table(histograms: dict[tuple[str, int, int], np.ndarray], density: float = 0.1) -> pd.DataFrame:
    """What mask_sweep would give; the null's histogram is that of no structure, tilted a little by the trial."""
    tilt = np.linspace(-1, 1, BLOCKS)[:, None] * np.ones((1, BLOCKS))
    return pd.DataFrame(
        [
            {
                "method": method, "width": width, "density": density, "trial": trial, "layer": 1,
                "histogram": histogram, "null_histogram": 0.5 * (1 + 0.1 * trial * tilt),
            }
            for (method, width, trial), histogram in histograms.items()
        ]
    )  # fmt: skip


def rms(a: np.ndarray) -> float:
    return float(np.sqrt((a**2).mean()))


@pytest.fixture
def masks() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    keys = [(method, width, trial) for method in ("random", "snip") for width in (10, 20, 40) for trial in range(3)]
    return table({key: rng.uniform(0.1, 1, (BLOCKS, BLOCKS)) for key in keys})


def test_relative_histograms_have_mean_one() -> None:
    histogram = np.array([[0.1, 0.3], [0.0, 0.0]])
    np.testing.assert_allclose(relative(histogram), [[1, 3], [0, 0]])


def test_distances_to_widest_leave_a_network_out_of_its_own_reference(masks: pd.DataFrame) -> None:
    distances = distances_to_widest(masks)
    assert list(distances.columns) == ["method", "density", "width", "trial", "distance", "null"]
    assert len(distances) == len(masks)
    for row in distances.itertuples():
        of_method = masks[masks["method"] == row.method]
        own = of_method[(of_method["width"] == row.width) & (of_method["trial"] == row.trial)].iloc[0]
        for column, found in (("histogram", row.distance), ("null_histogram", row.null)):
            widest = [
                other[column] / other[column].mean()
                for _, other in of_method.iterrows()
                if other["width"] == 40 and not (row.width == 40 and other["trial"] == row.trial)
            ]
            assert len(widest) == (2 if row.width == 40 else 3)
            reference = sum(widest) / len(widest)
            assert found == pytest.approx(rms(own[column] / own[column].mean() - reference), rel=1e-12)
    assert (distances.loc[distances["width"] == 40, "distance"] > 0).all()


def test_densities_are_compared_with_their_own_widest(masks: pd.DataFrame) -> None:
    sparser = masks.assign(density=0.05, histogram=[h[::-1] for h in masks["histogram"]])
    together = distances_to_widest(pd.concat([masks, sparser]))
    pd.testing.assert_frame_equal(
        together[together["density"] == 0.1].reset_index(drop=True), distances_to_widest(masks), check_exact=True
    )
    assert len(cauchy_distances(pd.concat([masks, sparser]))) == 2 * len(cauchy_distances(masks))


def test_a_drift_of_the_density_is_no_distance() -> None:
    histograms = {("snip", width, trial): (1 + pattern(1) / 5) * width / 100 for width in (10, 20) for trial in (0, 1)}
    np.testing.assert_allclose(distances_to_widest(table(histograms))["distance"], 0, atol=1e-14)
    np.testing.assert_allclose(cauchy_distances(table(histograms))["distance"], 0, atol=1e-7)


def test_cauchy_distances_have_a_row_for_each_step_in_width(masks: pd.DataFrame) -> None:
    distances = cauchy_distances(masks.sample(frac=1, random_state=0))
    assert list(distances.columns) == ["method", "density", "width", "distance", "null"]
    steps = sorted(zip(distances["method"], distances["width"], strict=True))
    assert steps == [(method, width) for method in ("random", "snip") for width in (10, 20)]
    assert (distances["null"] == 0).all()  # the same at every width, up to the noise that is taken out


def test_cauchy_distances_are_unbiased_in_the_square() -> None:
    rng = np.random.default_rng(1)
    narrow, wide = 1 + pattern(1) / 4, 1 + pattern(2) / 4
    squares, naive = [], []
    for _ in range(250):
        noise = rng.normal(0, 0.1, (2, 3, BLOCKS, BLOCKS))
        noise -= noise.mean(axis=(2, 3), keepdims=True)
        drawn = {
            ("snip", width, trial): (centre + noise[place, trial]) * 0.1
            for place, (width, centre) in enumerate(((10, narrow), (20, wide)))
            for trial in range(3)
        }
        distance = cauchy_distances(table(drawn))["distance"].item()
        assert distance > 0  # far enough apart that cutting off negative squares does not matter
        squares.append(distance**2)
        naive.append(rms((narrow - wide) + noise[0].mean(axis=0) - noise[1].mean(axis=0)) ** 2)
    truth, error = rms(narrow - wide) ** 2, np.std(squares) / np.sqrt(len(squares))
    assert abs(np.mean(squares) - truth) < 4 * error
    # The distance of the means is not: the test would see its bias.
    assert np.mean(naive) - truth > 8 * error


def test_cauchy_distances_of_equal_expectations_are_often_zero() -> None:
    zero = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        keys = [("random", width, trial) for width in (10, 20) for trial in range(3)]
        drawn = {key: rng.uniform(0.4, 0.6, (BLOCKS, BLOCKS)) for key in keys}
        zero += cauchy_distances(table(drawn))["distance"].item() == 0
    assert 15 < zero < 50


def test_distance_matrix(masks: pd.DataFrame) -> None:
    distances = distance_matrix(masks)
    histograms = [h / h.mean() for h in masks["histogram"]]
    expected = [[rms(a - b) for b in histograms] for a in histograms]
    np.testing.assert_allclose(distances, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("measure", [distances_to_widest, cauchy_distances])
def test_distances_say_what_is_wrong(measure: Callable[[pd.DataFrame], pd.DataFrame], masks: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"masks has 1 trial\(s\) and 1 layer\(s\), but distances need at least 2"):
        measure(masks[masks["trial"] == 1])
    with pytest.raises(ValueError, match=r"masks has 3 trial\(s\) and 2 layer\(s\), but .* at least 2 trials of one"):
        measure(pd.concat([masks, masks.assign(layer=2)]))
