"""Distances between the histograms of masks, on histograms whose distances are known."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from graphon_lib.convergence import (
    cauchy_distances,
    cut_distances,
    doubling_rates,
    means,
    pattern_differences,
    relative,
    scaling,
    separations,
)
from graphon_lib.cut import cut_norm
from graphon_lib.intervals import difference_interval

BLOCKS = 6


def gradient() -> np.ndarray:
    """A pattern of mean zero."""
    pattern = np.linspace(-1, 1, BLOCKS)[:, None] * np.ones((1, BLOCKS))
    return np.asarray(pattern / np.sqrt((pattern**2).mean()))


def pairs(expected: dict[int, float], noise: dict[int, float], trials: int, seed: int = 0) -> pd.DataFrame:
    """Distances of trials whose histograms are 1 + expected * gradient + noise, width by width."""
    generator = np.random.default_rng(seed)
    drawn = {
        width: [1 + shift * gradient() + noise[width] * generator.normal(size=(BLOCKS, BLOCKS)) for _ in range(trials)]
        for width, shift in expected.items()
    }
    rows = []
    for width, histograms in drawn.items():
        compared = {"trials": list(itertools.pairwise(histograms))}
        if 2 * width in drawn:
            compared["doubling"] = list(zip(histograms, drawn[2 * width], strict=True))
        for pair, found in compared.items():
            for trial, (a, b) in enumerate(found):
                distance = np.sqrt(((a - b) ** 2).mean())
                rows.append(("snip", "mask", width, pair, trial, distance))
    return pd.DataFrame(rows, columns=["method", "kind", "width", "pair", "trial", "relative_euclidean"])


def test_relative_histograms_have_mean_one() -> None:
    assert relative(np.array([[1.0, 3.0]])).tolist() == [[0.5, 1.5]]
    assert relative(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]


def test_cauchy_distances_take_the_noise_out() -> None:
    table = pairs({100: 0.5, 200: 0.2, 400: 0.1}, {100: 0.4, 200: 0.2, 400: 0.1}, 400)
    found = cauchy_distances(table, ["method"])
    assert found["width"].tolist() == [100, 200]
    for row, true in zip(found.itertuples(), (0.3, 0.1), strict=True):
        raw = table.query(f"width == {row.width} and pair == 'doubling'")["relative_euclidean"].mean()
        assert raw > 1.5 * true
        assert row.low <= true <= row.high
        assert row.distance == pytest.approx(true, rel=0.1)


def test_the_interval_of_a_cauchy_distance_covers_the_truth_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        (row,) = cauchy_distances(pairs({1: 0.5, 2: 0.2}, {1: 0.4, 2: 0.3}, 20, seed), ["method"]).itertuples()
        covered += row.low <= 0.3 <= row.high
    assert 180 <= covered <= 199


def test_equal_expectations_have_distance_zero_in_the_interval() -> None:
    (row,) = cauchy_distances(pairs({1: 0.2, 2: 0.2}, {1: 0.4, 2: 0.3}, 100), ["method"]).itertuples()
    assert row.low == 0
    assert row.high < 0.15


def test_without_a_doubling_there_is_nothing_to_say() -> None:
    table = pairs({100: 0.5, 200: 0.2}, {100: 0.4, 200: 0.2}, 6)
    assert cauchy_distances(table[table["pair"] == "trials"], ["method"]).empty
    assert doubling_rates(table[table["pair"] == "trials"], ["method"], "relative_euclidean").empty


def test_doubling_rates_are_those_of_all_widths_and_of_the_last_two() -> None:
    rows = [
        ("snip", "mask", "doubling", width, trial, distance * (1 + 0.01 * (-1) ** trial))
        for width, distance in {100: 1.0, 200: 0.5, 400: 0.25, 800: 0.25 / 4}.items()
        for trial in range(10)
    ]
    table = pd.DataFrame(rows, columns=["method", "kind", "pair", "width", "trial", "d"])
    (row,) = doubling_rates(table, ["method"], "d").itertuples()
    assert row.last.estimate == pytest.approx(2)
    assert row.last.low < 2 < row.last.high
    slope = -np.polyfit(np.log([100, 200, 400, 800]), np.log([1, 0.5, 0.25, 0.0625]), 1)[0]
    assert row.rate.estimate == pytest.approx(slope)


def test_means_have_students_interval() -> None:
    table = pd.DataFrame({"method": ["a", "a", "a", "b"], "x": [1.0, 2.0, 3.0, 5.0]})
    a, b = means(table, ["method"], "x").itertuples()
    half = 4.302652729911275 / np.sqrt(3)  # t of two degrees of freedom, standard deviation 1
    assert (a.value, a.low, a.high) == pytest.approx((2, 2 - half, 2 + half))
    assert b.value == 5
    assert np.isnan(b.low)


def test_scaling_finds_points_of_a_plane() -> None:
    points = np.random.default_rng(0).normal(size=(7, 2)) * (3, 1)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    found, share = scaling(distances)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=2), distances, atol=1e-10)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-10)
    assert share == pytest.approx(1)
    assert (found[np.abs(found).argmax(axis=0), [0, 1]] > 0).all()


@pytest.mark.parametrize("wrong", [np.ones((3, 3)), np.zeros((2, 2)), np.zeros((3, 4)), np.triu(np.ones((3, 3)), 1)])
def test_scaling_says_what_is_wrong(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a symmetric matrix of at least 3 points with a zero diagonal"):
        scaling(wrong)


def test_cut_distances_are_upper_bounds_of_relative_histograms() -> None:
    histograms = [np.random.default_rng(seed).uniform(size=(BLOCKS, BLOCKS)) for seed in range(4)]
    found = cut_distances(histograms)
    assert not np.diag(found).any()
    for i, j in itertools.combinations(range(4), 2):
        a, b = (histogram / histogram.mean() for histogram in (histograms[i], histograms[j]))
        assert found[i, j] == found[j, i] == cut_norm(a, b).upper


def test_separations_compare_the_first_half_of_one_with_the_second_of_the_other() -> None:
    place = {"random": 0.0, "snip": 10.0}
    noise = np.random.default_rng(0).normal(size=(2, 8))
    at = {(m, t): place[m] + noise[k, t] for k, m in enumerate(place) for t in range(8)}
    rows = []
    for method, other in (("random", "random"), ("snip", "snip"), ("random", "snip")):
        halves = [(range(4), range(4)), (range(4, 8), range(4, 8))] if method == other else [(range(4), range(4, 8))]
        for first, second in halves:
            rows += [
                (2, 0.1, 1, method, other, i, j, abs(at[method, i] - at[other, j]))
                for i, j in itertools.product(first, second)
                if method != other or i < j
            ]
    table = pd.DataFrame(rows, columns=["depth", "density", "layer", "method", "other", "trial", "other_trial", "d"])
    (row,) = separations(table, "d").itertuples()
    a, b = [at["random", i] for i in range(4)], [at["snip", i] for i in range(4, 8)]
    within = np.mean([np.mean([abs(x - y) for x, y in itertools.combinations(g, 2)]) for g in (a, b)])
    assert row.ratio == pytest.approx(np.mean([abs(x - y) for x in a for y in b]) / within)
    assert row.p_value == pytest.approx(2 / 70)  # 8 choose 4, both labellings of the true groups
    assert row.low < row.ratio < row.high
    assert separations(table[table["method"] != table["other"]], "d").empty
    (pair,) = separations(
        table[table["trial"].isin([0, 1, 4, 5]) & table["other_trial"].isin([0, 1, 4, 5])], "d"
    ).itertuples()
    assert np.isnan([pair.low, pair.high]).all()


def test_patterns_differ_by_the_one_that_differs_most() -> None:
    generator = np.random.default_rng(0)
    level = {"random": (0.0, 0.0), "snip": (1.0, -3.0), "grasp": (1.0, 0.5)}
    rows = [
        (2, density, 1, method, generator.normal(a, 0.1), generator.normal(b, 0.1))
        for density, (method, (a, b)), _ in itertools.product((0.3, 0.1), level.items(), range(10))
    ]
    table = pd.DataFrame(rows, columns=["depth", "density", "layer", "method", "C4", "row"])
    table.loc[0, "C4"] = np.nan  # an empty mask
    lonely = table.iloc[:1].assign(method="magnitude", C4=9.0)
    found = pattern_differences(pd.concat([table, lonely]), ["C4", "row"])
    assert len(found) == 6
    first = found[(found["density"] == 0.3)].set_index(["method", "other"])
    assert dict(first["column"]) == {("random", "snip"): "row", ("random", "grasp"): "C4", ("snip", "grasp"): "row"}
    snip, grasp = (table[(table["density"] == 0.3) & (table["method"] == m)]["row"] for m in ("snip", "grasp"))
    row = first.loc[("snip", "grasp")]
    assert row["difference"] == pytest.approx(grasp.mean() - snip.mean())
    assert row["low"] < row["difference"] < row["high"]
    assert row["high"] == pytest.approx(difference_interval(grasp, snip).high)
