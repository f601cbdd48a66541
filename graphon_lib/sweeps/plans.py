"""What the book computed of the studies of training: the paper's setting, and the settings it is compared with."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from graphon_lib.sweeps.curves import curves_study
from graphon_lib.sweeps.ladder import ladder_study
from graphon_lib.sweeps.starts import training_study
from graphon_lib.sweeps.study import Study

METHODS = ("random", "magnitude", "snip", "grasp", "synflow")
COMPARED = (*METHODS, "dense")
DENSITIES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05)

# Controls: at high sparsity, where methods differ.
CONTROL_DENSITIES = (0.1, 0.05)
CONTROLS = 3
ADAM_RATES = (0.0003, 0.003, 0.01)
SGD_RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
DEPTHS = (3, 6)


def whole_training_study() -> Study:
    """The loss curves of Figs. 2 and 11 with ten networks each; other weights, data and depths; steps; and twins."""
    control = partial(training_study, COMPARED, CONTROL_DENSITIES, trials=CONTROLS)
    return _together(
        training_study(COMPARED, DENSITIES),
        training_study(METHODS[1:], CONTROL_DENSITIES, twins=("layers", "degrees", "fresh"), trials=CONTROLS),
        control(initialisation="pytorch"),
        control(data="indian_pines"),
        control(optimizer="sgd", learning_rates=SGD_RATES),
        control(learning_rates=ADAM_RATES),
        *[control(depth=depth) for depth in DEPTHS],
    )


def whole_ladder_study() -> Study:
    """All rungs in the paper's setting, on as many digits as the paper's where it draws them, and three elsewhere."""
    control = partial(ladder_study, COMPARED, CONTROL_DENSITIES, rungs="ade", trials=CONTROLS)
    return _together(
        ladder_study(COMPARED, DENSITIES, trials=3),
        ladder_study(METHODS, DENSITIES[-1:], trials=range(3, 10)),
        ladder_study(("random", "snip", "synflow", "dense"), DENSITIES, rungs="cd", images=1024, trials=1),
        control(initialisation="pytorch"),
        control(data="indian_pines"),
        *[control(depth=depth) for depth in DEPTHS],
    )


def whole_curves_study() -> Study:
    """Predicted and measured curves at two densities."""
    return curves_study(COMPARED, (0.2, 0.05), trials=2)


def _together(first: Study, *others: Study) -> Study:
    return replace(first, configurations=[c for study in (first, *others) for c in study.configurations])
