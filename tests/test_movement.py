"""Where quantities go, on sequences whose end is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphon_lib.movement import movement, movements, rate_of_means


def trials(mean: float, spread: float = 0.01, count: int = 50) -> np.ndarray:
    """As many above the mean as below."""
    return mean + spread * np.linspace(-1, 1, count)


@given(st.floats(0.1, 2), st.floats(0.5, 5))
def test_a_power_is_found_exactly(rate: float, scale: float) -> None:
    found = rate_of_means({n: np.full(3, scale * n**-rate) for n in (10, 20, 40)})
    assert (found.estimate, found.low, found.high) == pytest.approx((rate, rate, rate))


def test_a_geometric_approach_is_extrapolated() -> None:
    found = movement({100: trials(9.0), 1000: trials(2.0), 2000: trials(1.5), 4000: trials(1.25)})
    assert found.state == "settling"
    assert found.limit.estimate == pytest.approx(1.0)
    assert found.limit.low < 1 < found.limit.high
    assert found.contraction.estimate == pytest.approx(0.5)
    assert found.change.estimate == pytest.approx(-1 / 6)
    assert found.last.estimate == pytest.approx(1.25)


def test_a_swinging_approach_is_extrapolated_too() -> None:
    found = movement({1: trials(2.0), 2: trials(1.0), 4: trials(1.5)})
    assert found.state == "settling"
    assert found.limit.estimate == pytest.approx(4 / 3)


@pytest.mark.parametrize(
    ("last", "state"), [(1.5, "moving"), (1.0, "moving"), (1.99, "settled"), (2.0, "settled"), (2.9, "moving")]
)
def test_states_follow_from_the_last_doubling(last: float, state: str) -> None:
    assert movement({1: trials(2.4), 2: trials(2.0), 4: trials(last)}).state == state


def test_what_does_not_contract_has_no_limit() -> None:
    found = movement({1: trials(1.0), 2: trials(2.0), 4: trials(4.0)})
    assert (found.limit.low, found.limit.high) == (-np.inf, np.inf)
    assert np.isnan(found.limit.estimate)


def test_noise_decides_against_settled() -> None:
    values = {1: trials(1.0, 0.5, 4), 2: trials(1.0, 0.5, 4), 4: trials(1.0, 0.5, 4)}
    assert movement(values).state == "moving"


def test_what_never_moves_has_settled_where_it_is() -> None:
    found = movement({n: np.ones(5) for n in (1, 2, 4)})
    assert found.state == "settled"
    assert (found.limit.low, found.limit.estimate, found.limit.high) == (1, 1, 1)


def test_equal_arguments_give_equal_intervals() -> None:
    values = {n: trials(1 + 1 / n, 0.3) for n in (1, 2, 4)}
    assert movement(values) == movement(values)
    assert movement(values).limit != movement(values, seed=1).limit


def test_a_table_has_a_row_for_each_group_that_can_be_followed() -> None:
    rows = [(m, w, v) for m in ("a", "b") for w in (1, 2, 4) for v in trials(1 + 1 / w)]
    rows += [("c", w, v) for w in (1, 2) for v in trials(1.0)] + [("d", w, np.nan) for w in (1, 2, 4)]
    table = pd.DataFrame(rows, columns=["method", "width", "x"])
    found = movements(table, ["method"], "x")
    assert found["method"].tolist() == ["a", "b"]
    assert found["limit"].iloc[0].estimate == pytest.approx(1)
    assert movements(table[table["width"] < 4], ["method"], "x").empty
    assert list(movements(table[table["width"] < 4], ["method"], "x")) == list(found)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({1: [1.0, 2.0], 2: [1.0, 2.0]}, "the three largest must be n, 2n and 4n"),
        ({1: [1.0, 2.0], 2: [1.0, 2.0], 5: [1.0, 2.0]}, r"widths \[1, 2, 5\]"),
        ({1: [1.0, 2.0], 2: [1.0], 4: [1.0, 2.0]}, r"1 trial\(s\) at width 2, and must have at least 2"),
        ({1: [1.0, 2.0], 2: [1.0, np.nan], 4: [1.0, 2.0]}, "all of them finite"),
    ],
)
def test_movement_says_what_is_wrong(values: dict[int, list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        movement(values)


def test_a_rate_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"values has 1 width\(s\), but a rate needs at least 2"):
        rate_of_means({1: [1.0, 2.0]})
    with pytest.raises(ValueError, match="but a power law needs positive ones"):
        rate_of_means({1: [1.0, 2.0], 2: [0.0, 0.0]})
