"""Figures: each draws what its table says, in the book's colours, and leaves matplotlib as it was found."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from graphon_lib import StepGraphon, figures, pruning
from graphon_lib.figures import style

METHODS = ["random", "snip"]
WIDTHS, DENSITIES, TRIALS = [10, 20, 40], [0.5, 0.1], 2
RUNGS = ["a", "c", "d"]
METRICS = ("decay", "effective_rank")
RNG = np.random.default_rng(0)

MASKS = pd.DataFrame(
    [
        {"method": m, "width": w, "density": d, "trial": t, "layer": 1, "histogram": RNG.uniform(0, 2 * d, (4, 4))}
        for m, w, d, t in itertools.product(METHODS, WIDTHS, DENSITIES, range(TRIALS))
    ]
)
CURVES = pd.DataFrame(
    [
        {
            "row": row, "column": column, "method": m, "kind": kind, "width": w,
            "value": v, "low": 0.9 * v, "high": 1.1 * v, "depth": 2, "density": 0.1,
        }
        for row, column, m, kind, w in itertools.product(
            ("above", "below"), ("70 %", "90 %"), METHODS, ("mask", "erdos_renyi"), WIDTHS
        )
        for v in [RNG.uniform(1, 2) / w]
    ]
)  # fmt: skip
SNIP = pd.DataFrame(
    [
        {
            "row": "4-cycles", "column": column, "initialisation": i, "images": b, "width": w,
            "value": v, "low": v - 0.1, "high": v + 0.1,
        }
        for column, i, b, w in itertools.product(("2", "3"), ("pytorch", "he"), (100, 1000), WIDTHS)
        for v in [RNG.uniform(1, 2)]
    ]
)  # fmt: skip
CUTS = pd.DataFrame(
    [
        {"method": m, "euclidean": x, "cut_lower": 0.8 * x, "cut_upper": 1.2 * x}
        for m, x in itertools.product(METHODS, (0.1, 0.2, 0.4))
    ]
)
APART = pd.DataFrame({"2 hidden": [1.5, np.nan], "3 hidden": [12.0, 150.0]}, index=["a and b", "a and c"])
PLACES = pd.DataFrame(
    [
        *({"method": m, "density": d, "width": w, "x": RNG.normal(), "y": RNG.normal()}
          for m, d, w in itertools.product(METHODS, DENSITIES, WIDTHS)),
        {"method": "constant", "density": np.nan, "width": 0, "x": 0.0, "y": 0.0},
    ]
)  # fmt: skip
RECOVERY = pd.DataFrame(
    [
        {"shape": shape, "method": e, "size": n, "trial": t, "error": 1 / n, "relabelled_error": RNG.uniform(1, 2) / n}
        for shape, e, n, t in itertools.product(["ramp", "corner"], ["usvt", "constant"], WIDTHS, range(TRIALS))
    ]
)
BLOCKS = pd.DataFrame(
    [
        {"shape": "ramp", "size": n, "blocks": k, "error": RNG.uniform(1, 2) * (1 / k + k / n)}
        for n, k, _ in itertools.product(WIDTHS, (4, 8, 16), range(TRIALS))
    ]
)
FLATNESS = pd.DataFrame(
    [
        {"method": e, "density": d, "error": RNG.uniform(), "bias": RNG.uniform()}
        for e, d, _ in itertools.product(["sas", "usvt"], DENSITIES, range(TRIALS))
    ]
)
GOODNESS = pd.DataFrame(
    [
        {"method": m, "density": d, "estimator": e, "C4_error": RNG.uniform(-0.1, 0.4), "C4_z": z}
        for (m, d), (e, z) in itertools.product(
            itertools.product(METHODS, DENSITIES), [("sas", 1.0), ("constant", -30.0)]
        )
    ]
)
GALLERY = pd.DataFrame(
    [
        {
            "method": m,
            "width": 9,
            "density": d,
            "layer": layer,
            "histogram": RNG.uniform(0, d, (4, 4)) * (m == "snip" or d > 0.2),
        }
        for m, d, layer in itertools.product(METHODS, DENSITIES, (1, 2))
    ]
)
LABELS = pd.DataFrame(
    [
        {"method": m, "density": d, "depth": depth, "exact": 0.1, "separate": 0.3, "sums": 0.2, "pairs": 0.1 + t / 100}
        for m, d, depth, t in itertools.product(METHODS, DENSITIES, (3, 4), range(TRIALS))
    ]
)
SHARPNESS = pd.DataFrame(
    [
        {"method": m, "density": d, "depth": 3, "layer": layer, "two_block": RNG.uniform(1, 2), "smooth": 2.0}
        for m, d, layer, _ in itertools.product(METHODS, DENSITIES, (1, 2), range(3))
    ]
)
KERNELS = pd.DataFrame(
    [
        {"activation": a, "shape": shape, "density": d, "width": w, "trial": t, "frobenius": RNG.uniform(1, 2) / w}
        for a, (shape, d), w, t in itertools.product(
            ["relu", "tanh"], [("constant", 0.5), ("constant", 0.1), ("snip", 0.1)], WIDTHS, range(TRIALS)
        )
    ]
)
CURVED = pd.DataFrame(
    [
        {
            "layer": layer, "position": position, "kept": k, "kurtosis": v, "low": v - 0.02, "high": v + 0.02,
            "predicted": 15 / k,
        }
        for layer, position, k in itertools.product((2, 3), ("left", "right"), (2, 20, 1500))
        for v in [15.5 / k]
    ]
)  # fmt: skip
FEW = pd.DataFrame(
    [
        {"kept": k, "trial": t, "kurtosis": 15 / k + t, "zero": 2.0**-k, "distance": 0.3 / k}
        for k, t in itertools.product((1, 2, 8), range(TRIALS))
    ]
)
NETWORKS = [*itertools.product(METHODS, DENSITIES), ("dense", 1.0)]
TRAINING = pd.DataFrame(
    [
        {
            "method": m, "density": d, "trial": t, "losses": RNG.uniform(0.5, 2, 30),
            "early_loss": RNG.uniform(0.5, 2), "path_density": d**3, "second_moment_scale": d**2,
        }
        for (m, d), t in itertools.product(NETWORKS, range(TRIALS))
    ]
)  # fmt: skip
SPECTRA = pd.DataFrame(
    [
        {
            "method": m, "density": d, "trial": t, "rung": rung, **{metric: RNG.uniform(1, 2) for metric in METRICS},
            "eigenvalues": np.sort(RNG.uniform(0, 1, 5))[::-1],
        }
        for (m, d), t, rung in itertools.product(NETWORKS, range(TRIALS), RUNGS)
    ]
)  # fmt: skip
CORRELATIONS = pd.DataFrame(
    [
        {
            "panel": panel, "number": number, "group": group,
            "correlation": place / 10, "low": place / 10 - 0.2, "high": place / 10 + 0.3,
        }
        for place, (panel, number, group) in enumerate(
            itertools.product(["Adam", "SGD"], METRICS, ["pooled", "within sparsity"])
        )
    ]
)  # fmt: skip
AT_REST = {"path_density": "path density", "second_moment_scale": "second-moment scale"}
NUMBERS = {"decay": "decay exponent", "effective_rank": "effective rank"}
GRID = pd.DataFrame(
    [
        {"number": n, "setting": setting, "correlation": place / 4 - 0.5}
        for place, (n, setting) in enumerate(itertools.product(METRICS, ["depth 3", "depth 6"]))
    ]
)
BY_SPARSITY = pd.DataFrame(
    [
        {"panel": panel, "method": m, "density": d, "value": v, "low": 0.9 * v, "high": 1.1 * v}
        for panel, (m, d) in itertools.product(["Adam", "SGD"], NETWORKS)
        for v in [RNG.uniform(0.5, 1.5)]
    ]
)
STEPS = {"own": "pruned network", "fresh": "fresh weights"}
STAIRS = pd.DataFrame(
    [
        {"row": row, "column": column, "method": m, "step": step, "value": v, "low": 0.9 * v, "high": 1.1 * v}
        for row, column, m, step in itertools.product(["scale"], ["50 %", "90 %"], METHODS, reversed(STEPS))
        for v in [RNG.uniform(0.5, 1.5)]
    ]
)
DESCENTS = pd.DataFrame(
    [
        {"method": m, "losses": 3 * 0.9 ** np.arange(9), "a_losses": 3 * 0.8 ** np.arange(9), "d_losses": d}
        for m, d in (("random", 3 * 0.7 ** np.arange(9)), ("snip", []), ("snip", np.ones(9)))
    ]
)
PAIRS = {"SNIP": (np.arange(5.0), np.full(5, 1.02)), "SynFlow": (np.arange(4.0), np.full(4, 0.98))}

PEERS = {m: ((0.1 * k, 0.2 * k, 0.3 * k), (0.5, 0.6, 0.8)) for k, m in enumerate(METHODS, 1)}
LAYERS = {f"layers.{k}.weight": StepGraphon(np.full((4, 4), k / 5)) for k in range(1, 6)}

DRAWN: dict[str, Callable[[], Any]] = {
    "curves_by_sparsity": lambda: figures.curves_by_sparsity(BY_SPARSITY, "early loss", top=3),
    "distance_scatter": lambda: figures.distance_scatter(CUTS),
    "graphon_map": lambda: figures.graphon_map(PLACES),
    "separation_grid": lambda: figures.separation_grid(APART),
    "width_curves": lambda: figures.width_curves(CURVES, line=0.1),
    "width_curves_of_snip": lambda: figures.width_curves_of_snip(SNIP),
    "block_against_slope": lambda: figures.block_against_slope(SHARPNESS),
    "block_curves": lambda: figures.block_curves(BLOCKS, {"ramp": {10: 5.0}}),
    "collapse_scatter": lambda: figures.collapse_scatter(PAIRS),
    "eigenvalue_explorer": lambda: figures.eigenvalue_explorer(SPECTRA, range(1, 6)),
    "error_by_density": lambda: figures.error_by_density(KERNELS[KERNELS["shape"] == "constant"]),
    "estimate_grid": lambda: figures.estimate_grid({"ramp": {"truth": np.eye(4), "usvt": np.eye(4)}}),
    "few_weights": lambda: figures.few_weights(FEW),
    "flatness_dots": lambda: figures.flatness_dots(FLATNESS),
    "goodness_grid": lambda: figures.goodness_grid(GOODNESS, "C4"),
    "graphons_by_layer": lambda: figures.graphons_by_layer(LAYERS),
    "histogram_grid": lambda: figures.histogram_grid(MASKS, columns="width"),
    "kernel_convergence": lambda: figures.kernel_convergence(KERNELS[KERNELS["density"] == 0.1]),
    "kurtosis_by_kept": lambda: figures.kurtosis_by_kept(CURVED),
    "loss_curves": lambda: figures.loss_curves(TRAINING),
    "mask_gallery": lambda: figures.mask_gallery(GALLERY),
    "metrics_by_sparsity": lambda: figures.metrics_by_sparsity(SPECTRA, METRICS, RUNGS),
    "overview": lambda: figures.overview(MASKS, TRAINING),
    "parallel_spectra": lambda: figures.parallel_spectra(
        {"dense": np.array([4.0, 2, 1]), "m = 1": np.array([2.0, 1, 0.5])}
    ),
    "path_density_errors": lambda: figures.path_density_errors(LABELS),
    "preactivation_histograms": lambda: figures.preactivation_histograms(
        {"top": RNG.normal(size=500), "bottom": RNG.normal(size=500)}, {"top": 1.0, "bottom": 1.0}
    ),
    "position_grid": lambda: figures.position_grid({"snip": np.full((3, 3), 0.8), "random": np.eye(3)}),
    "predicted_curves": lambda: figures.predicted_curves(DESCENTS, {"a": "own kernel", "d": "Graphon NTK"}),
    "rank_correlations": lambda: figures.rank_correlations(CORRELATIONS, NUMBERS),
    "ranking_grid": lambda: figures.ranking_grid(GRID, NUMBERS),
    "recovery_curves": lambda: figures.recovery_curves(RECOVERY),
    "staircase": lambda: figures.staircase(STAIRS, STEPS, {"scale": "scale / dense"}, log=True, top=2),
    "standing_among": lambda: figures.standing_among(PEERS, 0.3, (0.7, 0.5, 0.9)),
    "start_against": lambda: figures.start_against(TRAINING, AT_REST),
}
PLOTLY = ("eigenvalue_explorer",)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    return {name: draw() for name, draw in DRAWN.items()}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def settings_of_matplotlib() -> dict[str, Any]:
    plt.get_backend()  # decided on first use; that is no setting of ours
    return dict(mpl.rcParams)


# All of them


def test_every_figure_is_drawn_here() -> None:
    public = {n for n, value in vars(figures).items() if inspect.isfunction(value)} - {"percent_sparse"}
    assert public == set(DRAWN)


@pytest.mark.parametrize("name", list(DRAWN))
def test_drawing_leaves_matplotlib_as_it_was(name: str) -> None:
    before, open_figures = settings_of_matplotlib(), plt.get_fignums()
    mine = plt.figure()
    figure = DRAWN[name]()
    assert plt.gcf() is mine
    plt.close(mine)
    assert plt.get_fignums() == open_figures
    assert settings_of_matplotlib() == before
    assert isinstance(figure, go.Figure if name in PLOTLY else Figure)


def test_settings_come_back_when_drawing_fails() -> None:
    before, open_figures = settings_of_matplotlib(), plt.get_fignums()
    with pytest.raises(KeyError):
        figures.width_curves(CURVES.drop(columns="high"))
    assert settings_of_matplotlib() == before
    assert plt.get_fignums() == open_figures


@pytest.mark.parametrize("name", [name for name in DRAWN if name not in PLOTLY])
def test_axes_say_what_they_show(name: str, drawn: dict[str, Any]) -> None:
    figure = drawn[name]
    figure.canvas.draw()  # any warning of the layout would be an error here
    for axes, axis in itertools.product(figure.axes, ("x", "y")):
        ticks = [tick.get_text() for tick in getattr(axes, f"get_{axis}ticklabels")()]
        siblings = getattr(axes, f"get_shared_{axis}_axes")().get_siblings(axes)
        labels = [getattr(sibling, f"get_{axis}label")() for sibling in siblings]
        # Named by a label, its own or one of those it shares the axis with, or by words at the ticks.
        assert not any(ticks) or any(labels) or any(re.search("[A-Za-z]{3}", tick) for tick in ticks)
    assert all(axes.has_data() for axes in figure.axes)


@pytest.mark.parametrize("name", [name for name in DRAWN if name not in PLOTLY])
def test_figures_can_be_read_on_a_phone(name: str, drawn: dict[str, Any]) -> None:
    width, _ = drawn[name].get_size_inches()
    assert width <= 7
    sizes = [t.get_fontsize() for t in drawn[name].findobj(mpl.text.Text) if t.get_text()]
    assert min(sizes) >= 8.5


# Style


def test_methods_have_their_own_colour_marker_and_name() -> None:
    looks = (style.METHOD_COLOURS, style.METHOD_MARKERS, style.METHOD_NAMES)
    for look in looks:
        assert list(look) == ["dense", *pruning.METHODS]
        assert len(set(look.values())) == len(look)
    assert style.line_style("snip") == {"color": "#D55E00", "marker": "s", "label": "SNIP"}
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in style.METHOD_COLOURS.values()])
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 999 * np.eye(len(colours))
    assert apart.min() > 60


@pytest.mark.parametrize(("density", "name"), [(0.1, "90 %"), (0.05, "95 %"), (1.0, "0 %"), (0.015, "98.5 %")])
def test_densities_are_named_by_their_sparsity(density: float, name: str) -> None:
    assert style.percent_sparse(density) == name


@pytest.mark.parametrize("name", ["width_curves", "loss_curves", "metrics_by_sparsity", "curves_by_sparsity"])
def test_a_method_has_the_same_colour_in_every_figure(name: str, drawn: dict[str, Any]) -> None:
    lines = {line.get_label(): to_hex(line.get_color()) for axes in drawn[name].axes for line in axes.get_lines()}
    named = [method for method in style.METHOD_NAMES if style.METHOD_NAMES[method] in lines]
    assert set(METHODS) <= set(named)
    for method in named:
        assert lines[style.METHOD_NAMES[method]] == style.METHOD_COLOURS[method].lower()


def test_a_methods_points_have_its_colour(drawn: dict[str, Any]) -> None:
    points = {c.get_label(): to_hex(c.get_facecolor()[0]) for c in drawn["start_against"].axes[0].collections}
    assert points == {style.METHOD_NAMES[m]: style.METHOD_COLOURS[m].lower() for m in ("random", "snip", "dense")}


# Convergence


def test_width_curves_draw_methods_with_bands_and_nulls_without(drawn: dict[str, Any]) -> None:
    figure = drawn["width_curves"]
    assert [axes.get_title() for axes in figure.axes[:2]] == ["70 %", "90 %"]
    assert [figure.axes[place].get_ylabel() for place in (0, 2)] == ["above", "below"]
    first = figure.axes[0]
    solid, dotted = ([line for line in first.get_lines() if line.get_linestyle() == style] for style in ("-", ":"))
    assert len(dotted) == len(METHODS) == len(first.collections)
    chosen = CURVES.query("row == 'above' and column == '70 %' and method == 'snip' and kind == 'mask'")
    (snip,) = [line for line in solid if line.get_label() == "SNIP"]
    np.testing.assert_array_equal(snip.get_ydata(), chosen["value"])
    assert any(np.all(np.equal(line.get_ydata(), 0.1)) for line in solid), "the line that was asked for"
    assert texts(figure) == ["Random", "SNIP", "null of each"]


def test_what_is_not_positive_is_left_out_of_a_logarithmic_axis() -> None:
    curves = CURVES.assign(value=CURVES["value"].where(CURVES["width"] > WIDTHS[0], 0.0))
    (axes, *_) = figures.width_curves(curves).axes
    assert all(np.isnan(line.get_ydata()[0]) for line in axes.get_lines())
    assert axes.get_ylim()[0] > 0


def test_what_other_parameters_leave_empty_says_so() -> None:
    for figure in (
        figures.width_curves(CURVES.head(0)),
        figures.separation_grid(APART.head(0)),
        figures.distance_scatter(CUTS.head(0)),
    ):
        assert [text.get_text() for text in figure.axes[0].texts] == ["These parameters leave nothing to compare here."]


def test_the_map_has_a_trajectory_a_method_and_sparsity_and_a_star(drawn: dict[str, Any]) -> None:
    axes = drawn["graphon_map"].axes[0]
    assert len(axes.get_lines()) == len(METHODS) * len(DENSITIES)
    sizes = axes.collections[0].get_sizes()
    assert (np.diff(sizes) > 0).all(), "points grow with the width"
    assert "constant graphon" in texts(drawn["graphon_map"])


def test_the_grid_of_separations_writes_ratios_and_leaves_unknown_ones_empty(drawn: dict[str, Any]) -> None:
    written = [text.get_text() for text in drawn["separation_grid"].axes[0].texts]
    assert [text for text in written if text] == ["1.5", "12", "150"]


def test_the_scatter_shows_the_bracket(drawn: dict[str, Any]) -> None:
    axes = drawn["distance_scatter"].axes[0]
    ends = [segment[:, 1] for bars in axes.collections for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [(0.8 * x, 1.2 * x) for _ in METHODS for x in (0.1, 0.2, 0.4)])


# Masks


@pytest.mark.parametrize(
    ("columns", "titles"), [("width", ["n = 10", "n = 20", "n = 40"]), ("density", ["50 % pruned", "90 % pruned"])]
)
def test_histogram_grid_shows_means_over_their_density(columns: str, titles: list[str]) -> None:
    figure = figures.histogram_grid(MASKS, columns=columns)
    panels = [axes for axes in figure.axes if axes.get_images()]
    values = list(MASKS[columns].unique())
    assert [axes.get_title() for axes in panels[: len(values)]] == titles
    assert [axes.get_ylabel() for axes in panels[:: len(values)]] == ["Random", "SNIP"]
    for panel, (method, value) in zip(panels, itertools.product(METHODS, values), strict=True):
        chosen = MASKS[(MASKS["method"] == method) & (MASKS[columns] == value)]["histogram"]
        mean = sum(chosen) / len(chosen)
        image = panel.get_images()[0]
        np.testing.assert_allclose(image.get_array(), mean / mean.mean())
        assert image.get_clim() == (0, 3)


# Estimators


def test_recovery_curves_draw_mean_errors_beside_slopes(drawn: dict[str, Any]) -> None:
    means = RECOVERY.groupby(["shape", "method", "size"])["relabelled_error"].mean()
    for axes, shape in zip(drawn["recovery_curves"].axes, ["ramp", "corner"], strict=True):
        assert axes.get_title() == shape
        lines = axes.get_lines()
        for line, method in zip(lines, ["usvt", "constant"], strict=False):
            np.testing.assert_allclose(line.get_ydata(), means[shape, method])
        for line, power in zip(lines[2:], (0.5, 1), strict=True):
            y = line.get_ydata()
            assert np.log(y[0] / y[-1]) / np.log(4) == pytest.approx(power)
    assert texts(drawn["recovery_curves"]) == ["USVT", "Constant", "slope −1/2", "slope −1"]


def test_block_curves_mark_what_theory_has_on_the_line_of_its_size(drawn: dict[str, Any]) -> None:
    axes = drawn["block_curves"].axes[0]
    first, tick, *_ = axes.get_lines()
    means = BLOCKS[BLOCKS["size"] == 10].groupby("blocks")["error"].mean()
    np.testing.assert_allclose(first.get_ydata(), means)
    (x,), (y,) = tick.get_data()
    assert x == 5
    share = np.log(5 / 4) / np.log(2)
    assert y == pytest.approx(means[4] ** (1 - share) * means[8] ** share)


def test_flatness_dots_draw_error_and_bias(drawn: dict[str, Any]) -> None:
    for axes, column in zip(drawn["flatness_dots"].axes, ("error", "bias"), strict=True):
        means = FLATNESS.groupby(["method", "density"])[column].mean()
        for line, method in zip(axes.get_lines(), ["sas", "usvt"], strict=True):
            np.testing.assert_allclose(line.get_ydata(), means[method])


def test_goodness_grid_is_bold_where_the_estimate_fits(drawn: dict[str, Any]) -> None:
    cells = drawn["goodness_grid"].axes[0].texts
    assert [cell.get_weight() for cell in cells] == ["bold", "normal"] * 4
    found = [float(cell.get_text().removesuffix(" %")) for cell in cells]
    np.testing.assert_allclose(found, 100 * np.expm1(GOODNESS["C4_error"]), atol=0.51)


def test_goodness_grid_says_where_there_is_none_of_a_motif() -> None:
    figure = figures.goodness_grid(GOODNESS.assign(C4_error=np.nan, C4_z=np.nan), "C4")
    assert {cell.get_text() for cell in figure.axes[0].texts} == {"none"}


def test_mask_gallery_shows_a_column_each_sparsity_and_layer_and_says_where_nothing_is_kept(
    drawn: dict[str, Any],
) -> None:
    panels = drawn["mask_gallery"].axes[:8]
    assert [panel.get_title() for panel in panels[:4]] == [
        "50 %\nlayer 1", "50 %\nlayer 2", "90 %\nlayer 1", "90 %\nlayer 2",
    ]  # fmt: skip
    for panel, cell in zip(panels, GALLERY.itertuples(), strict=True):
        if cell.histogram.any():
            np.testing.assert_allclose(panel.get_images()[0].get_array(), cell.histogram / cell.histogram.mean())
        else:
            assert [text.get_text() for text in panel.texts] == ["nothing\nkept"]


def test_path_density_errors_draw_ratios_to_the_exact_density(drawn: dict[str, Any]) -> None:
    for axes in drawn["path_density_errors"].axes:
        found = [line.get_ydata()[0] for line in axes.get_lines()[:6]]
        np.testing.assert_allclose(found, [3, 2, 1.05] * 2)


def test_block_against_slope_draws_mean_ratios(drawn: dict[str, Any]) -> None:
    means = SHARPNESS.assign(ratio=SHARPNESS["two_block"] / 2).groupby(["layer", "method", "density"])["ratio"].mean()
    for layer, axes in enumerate(drawn["block_against_slope"].axes, start=1):
        for bars, method in zip(axes.containers, METHODS, strict=True):
            found = np.array(bars[0].get_ydata(), dtype=float)
            np.testing.assert_allclose(found, means[layer, method].sort_index(ascending=False))


# Limits


def test_preactivation_histograms_draw_the_limits_gaussians() -> None:
    rng = np.random.default_rng(1)
    samples = {"top": rng.normal(size=40_000), "bottom": 2 * rng.normal(size=40_000)}
    figure = figures.preactivation_histograms(samples, {"top": 1.0, "bottom": 4.0})
    assert [axes.get_title() for axes in figure.axes] == ["top", "bottom"]
    for axes, variance in zip(figure.axes, (1, 4), strict=True):
        x, y = axes.get_lines()[0].get_data()
        np.testing.assert_allclose(y, np.exp(-(x**2) / 2 / variance) / np.sqrt(2 * np.pi * variance))
        heights = np.array([bar.get_height() for bar in axes.patches])
        middles = np.array([bar.get_x() + bar.get_width() / 2 for bar in axes.patches])
        assert np.abs(heights - np.interp(middles, x, y)).max() < 0.1 * y.max()


def test_kurtosis_is_drawn_with_intervals_on_predicted_lines(drawn: dict[str, Any]) -> None:
    figure = drawn["kurtosis_by_kept"]
    assert [axes.get_title() for axes in figure.axes] == ["layer 2", "layer 3"]
    assert texts(figure) == ["left", "right"]
    for axes in figure.axes:
        points, line = axes.get_lines()[:2]
        np.testing.assert_allclose(points.get_ydata(), [7.75, 0.775, 15.5 / 1500])
        np.testing.assert_allclose(line.get_ydata(), [7.5, 0.75, 0.01])
        ends = [segment[:, 1] for segment in axes.collections[0].get_segments()]
        np.testing.assert_allclose(ends, [(7.73, 7.77), (0.755, 0.795), (0.01, 0.02 + 15.5 / 1500)])


def test_neurons_of_few_weights_are_drawn_on_theory(drawn: dict[str, Any]) -> None:
    left, right = drawn["few_weights"].axes
    theory, points = left.get_lines()
    np.testing.assert_allclose(theory.get_ydata(), 15 / theory.get_xdata())
    np.testing.assert_allclose(points.get_ydata(), [15.5, 8.0, 2.375])
    lines = {line.get_label(): line.get_ydata() for line in right.get_lines()}
    np.testing.assert_allclose(lines["share at exactly zero"], [0.5, 0.25, 2.0**-8])
    np.testing.assert_allclose(lines["distance to the Gaussian"], [0.3, 0.15, 0.0375])


def test_kernel_convergence_draws_means_beside_a_slope(drawn: dict[str, Any]) -> None:
    figure = drawn["kernel_convergence"]
    assert [axes.get_title() for axes in figure.axes] == ["ReLU", "tanh"]
    assert texts(figure) == ["constant", "SNIP", "slope −1/2"]
    for axes, activation in zip(figure.axes, ("relu", "tanh"), strict=True):
        lines = axes.get_lines()
        for line, shape in zip(lines[:2], ("constant", "snip"), strict=True):
            chosen = KERNELS[
                (KERNELS["activation"] == activation) & (KERNELS["shape"] == shape) & (KERNELS["density"] == 0.1)
            ]
            np.testing.assert_array_equal(line.get_xdata(), WIDTHS)
            np.testing.assert_allclose(line.get_ydata(), chosen.groupby("width")["frobenius"].mean())
        assert np.polyfit(np.log(WIDTHS), np.log(lines[2].get_ydata()), 1)[0] == pytest.approx(-0.5)


def test_errors_are_drawn_against_widths_and_kept_weights(drawn: dict[str, Any]) -> None:
    figure = drawn["error_by_density"]
    assert texts(figure) == ["c = 0.5", "c = 0.1"]
    for by_width, by_kept, c in zip(*(axes.get_lines() for axes in figure.axes), (0.5, 0.1), strict=True):
        np.testing.assert_allclose(by_kept.get_xdata(), c * by_width.get_xdata())
        np.testing.assert_array_equal(by_kept.get_ydata(), by_width.get_ydata())


def test_spectra_are_drawn_by_rank(drawn: dict[str, Any]) -> None:
    first, second = drawn["parallel_spectra"].axes[0].get_lines()
    np.testing.assert_array_equal(first.get_data(), [[1, 2, 3], [4, 2, 1]])
    np.testing.assert_array_equal(second.get_ydata(), [2, 1, 0.5])
    assert texts(drawn["parallel_spectra"]) == ["dense", "m = 1"]


def test_collapse_scatter_draws_every_pair(drawn: dict[str, Any]) -> None:
    lines = drawn["collapse_scatter"].axes[0].get_lines()
    for line, (name, (dense, ratio)) in zip(lines[:2], PAIRS.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xdata(), dense)
        np.testing.assert_array_equal(line.get_ydata(), ratio)
    np.testing.assert_array_equal(lines[2].get_ydata(), 1)


# Training and spectra


def test_loss_curves_draw_running_means_with_the_dense_network_in_every_panel(drawn: dict[str, Any]) -> None:
    figure = drawn["loss_curves"]
    assert [axes.get_title() for axes in figure.axes] == ["50 % pruned", "90 % pruned"]
    for axes, density in zip(figure.axes, DENSITIES, strict=True):
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert set(lines) == {"Random", "SNIP", "Dense"}
        chosen = TRAINING[(TRAINING["method"] == "snip") & (TRAINING["density"] == density)]["losses"]
        mean = sum(chosen) / len(chosen)
        expected = [np.mean(mean[end - 10 : end]) for end in range(10, 31)]
        np.testing.assert_allclose(lines["SNIP"].get_ydata(), expected)
        np.testing.assert_array_equal(lines["SNIP"].get_xdata(), np.arange(10, 31))
    assert texts(figure) == ["Random", "SNIP", "Dense"]


def test_trials_that_were_not_measured_are_left_out_of_means() -> None:
    figure, axes = style.canvas(1, 1, 3, 3)
    style.mean_and_range(axes[0, 0], [1, 2], np.array([[1.0, np.nan], [3.0, 5.0]]), color="black")
    (line,) = axes[0, 0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [2, 5])
    assert figure.axes == [axes[0, 0]]


def test_metrics_by_sparsity_has_a_row_a_metric_and_a_column_a_rung(drawn: dict[str, Any]) -> None:
    axes = np.reshape(drawn["metrics_by_sparsity"].axes, (2, 3))
    assert [row[0].get_ylabel() for row in axes] == ["decay exponent", "effective rank"]
    for (i, metric), (j, rung) in itertools.product(enumerate(METRICS), enumerate(RUNGS)):
        lines = {line.get_label(): line for line in axes[i, j].get_lines()}
        for method, name in (("random", "Random"), ("snip", "SNIP")):
            chosen = SPECTRA[(SPECTRA["method"] == method) & (SPECTRA["rung"] == rung)]
            means = chosen.groupby("density")[metric].mean()
            np.testing.assert_allclose(lines[name].get_xdata(), 100 * (1 - means.index.to_numpy()))
            np.testing.assert_allclose(lines[name].get_ydata(), means)
        dense = SPECTRA[(SPECTRA["method"] == "dense") & (SPECTRA["rung"] == rung)][metric]
        np.testing.assert_allclose(lines["Dense"].get_ydata(), dense.mean())


def test_eigenvalue_explorer_has_a_trace_for_each_line_and_step(drawn: dict[str, Any]) -> None:
    figure = drawn["eigenvalue_explorer"]
    keys = list(itertools.product(DENSITIES, METHODS, ["a", "d"]))
    assert len(figure.data) == len(keys)
    for trace, key in zip(figure.data, keys, strict=True):
        density, method, rung = key
        chosen = [SPECTRA[column] == value for column, value in zip(("density", "method", "rung"), key, strict=True)]
        eigenvalues = SPECTRA[np.logical_and.reduce(chosen)]["eigenvalues"]
        np.testing.assert_allclose(trace.y, np.mean(np.stack(eigenvalues.tolist()), axis=0), rtol=1e-3)
        np.testing.assert_array_equal(trace.x, np.arange(1, 6))
        assert trace.line.color == style.METHOD_COLOURS[method]
        assert trace.name == f"{style.METHOD_NAMES[method]}, {'pruned' if rung == 'a' else 'limit'}"
        assert trace.visible == (density == 0.5)
    (slider,) = figure.layout.sliders
    assert [step.label for step in slider.steps] == ["50 %", "90 %"]
    for step, density in zip(slider.steps, DENSITIES, strict=True):
        assert list(step.args[0]["visible"]) == [d == density for d, _, _ in keys]


def test_start_against_draws_a_point_a_network_in_each_panel(drawn: dict[str, Any]) -> None:
    for axes, (number, label) in zip(drawn["start_against"].axes, AT_REST.items(), strict=True):
        assert axes.get_xlabel() == label
        for points, (method, group) in zip(axes.collections, TRAINING.groupby("method", sort=False), strict=True):
            assert points.get_label() == style.METHOD_NAMES[str(method)]
            np.testing.assert_allclose(points.get_offsets(), group[[number, "early_loss"]])


def test_overview_shows_the_widest_masks_above_the_losses(drawn: dict[str, Any]) -> None:
    figure = drawn["overview"]
    panels = [axes for axes in figure.axes if axes.get_images()]
    assert [axes.get_title() for axes in panels] == ["Random", "SNIP"]
    widest = MASKS[MASKS["width"] == 40]
    for panel, method in zip(panels, METHODS, strict=True):
        mean = np.mean(widest.loc[widest["method"] == method, "histogram"].tolist(), axis=0)
        np.testing.assert_allclose(panel.get_images()[0].get_array(), mean / mean.mean())
    (losses,) = (axes for axes in figure.axes if not axes.get_images())
    assert len(losses.collections) == 3


def test_rank_correlations_draw_estimates_and_intervals(drawn: dict[str, Any]) -> None:
    figure = drawn["rank_correlations"]
    for axes, panel in zip(figure.axes, ["Adam", "SGD"], strict=True):
        assert axes.get_title() == panel
        for line, bars, group in zip(axes.get_lines(), axes.collections, ["pooled", "within sparsity"], strict=False):
            chosen = CORRELATIONS[(CORRELATIONS["group"] == group) & (CORRELATIONS["panel"] == panel)]
            np.testing.assert_allclose(line.get_xdata(), chosen["correlation"])
            ends = [segment[:, 0] for segment in bars.get_segments()]
            np.testing.assert_allclose(ends, chosen[["low", "high"]])
            np.testing.assert_allclose([segment[0, 1] for segment in bars.get_segments()], line.get_ydata())
            np.testing.assert_array_equal(np.round(line.get_ydata()), [0, 1])
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(NUMBERS.values())
    assert axes.yaxis_inverted()
    assert texts(figure) == ["pooled", "within sparsity"]


def test_ranking_grid_writes_each_correlation_into_its_cell(drawn: dict[str, Any]) -> None:
    axes = drawn["ranking_grid"].axes[0]
    assert [text.get_text() for text in axes.texts] == ["-0.50", "-0.25", "0.00", "0.25"]
    np.testing.assert_allclose(axes.get_images()[0].get_array(), [[-0.5, -0.25], [0, 0.25]])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["depth 3", "depth 6"]


def test_curves_by_sparsity_have_a_panel_a_setting(drawn: dict[str, Any]) -> None:
    for axes, panel in zip(drawn["curves_by_sparsity"].axes, ["Adam", "SGD"], strict=True):
        assert axes.get_title() == panel
        assert axes.get_ylim()[1] == 3
        chosen = BY_SPARSITY[(BY_SPARSITY["panel"] == panel) & (BY_SPARSITY["method"] == "snip")]
        (snip,) = [line for line in axes.get_lines() if line.get_label() == "SNIP"]
        np.testing.assert_allclose(snip.get_xdata(), [50, 90])
        np.testing.assert_allclose(snip.get_ydata(), chosen["value"])


def test_staircases_put_the_steps_in_the_order_asked_for(drawn: dict[str, Any]) -> None:
    for axes, column in zip(drawn["staircase"].axes, ["50 %", "90 %"], strict=True):
        assert axes.get_title() == column
        assert axes.get_ylim()[1] == 2
        assert [tick.get_text() for tick in axes.get_xticklabels()] == list(STEPS.values())
        chosen = STAIRS[(STAIRS["column"] == column) & (STAIRS["method"] == "random")].set_index("step")["value"]
        (line,) = [line for line in axes.get_lines() if line.get_label() == "Random"]
        np.testing.assert_allclose(line.get_ydata(), chosen[["own", "fresh"]])


def test_predicted_curves_start_at_one_and_leave_out_what_was_not_predicted(drawn: dict[str, Any]) -> None:
    first, second = drawn["predicted_curves"].axes
    assert [line.get_label() for line in first.get_lines()] == ["measured", "own kernel", "Graphon NTK"]
    assert [line.get_label() for line in second.get_lines()] == ["measured", "own kernel"]
    for line, rate in zip(first.get_lines(), (0.9, 0.8, 0.7), strict=True):
        np.testing.assert_allclose(line.get_ydata(), rate ** np.arange(9))


def test_a_network_that_is_not_foretold_is_a_line() -> None:
    foretold, not_foretold, nowhere = (
        figures.standing_among(PEERS, scale, expected)
        for scale, expected in ((0.3, (0.7, 0.5, 0.9)), (0.3, None), (None, None))
    )
    assert set(texts(foretold)) == {"Random", "SNIP", "this network\n(expected)"}
    assert set(texts(not_foretold)) == {"Random", "SNIP", "this network\n(not known)"}
    assert set(texts(nowhere)) == {"Random", "SNIP"}


def test_graphons_of_a_network_share_their_colours() -> None:
    images = [axes.images[0] for axes in figures.graphons_by_layer(LAYERS).axes if axes.images]
    assert [image.get_clim() for image in images] == [(0, 1)] * 5
    assert len(images) == 5
