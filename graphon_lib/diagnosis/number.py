"""A number of a report: with its interval, or with the reason why it is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

# As in the ledger: fewer digits than another processor's arithmetic would change, more than any sentence turns on.
DIGITS = 6


@dataclass(frozen=True)
class Number:
    """One number.

    Attributes
    ----------
    value : float or None
        To six digits; None if it is not known.
    low, high : float or None
        Its interval; None if there is none: what is counted is exact.
    note : str
        What the interval is over, or why the value is not known.

    Raises
    ------
    ValueError
        If a number is not finite, or there is neither a value nor a reason.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            given = getattr(self, name)
            if given is not None:
                if not math.isfinite(given):
                    raise ValueError(f"{name} is {given}, but must be finite; say in note why it is not known")
                object.__setattr__(self, name, float(f"{given:.{DIGITS}g}"))
        if self.value is None and not self.note:
            raise ValueError("note is empty, but must say why the value is not known")

    @classmethod
    def unknown(cls, reason: str) -> Number:
        """Not known, because of what ``reason`` says in a clause."""
        return cls(None, note=reason)

    @property
    def known(self) -> bool:
        return self.value is not None

    def __str__(self) -> str:
        if self.value is None:
            return f"not known: {self.note}"
        if self.low is None or self.high is None:
            return shown(self.value)
        return f"{shown(self.value)} ({shown(self.low)} to {shown(self.high)})"

    def to_dict(self) -> dict[str, Any]:
        return {"value": self.value, "low": self.low, "high": self.high, "note": self.note}


def shown(value: float) -> str:
    """Three significant digits as a reader would write them: 0.998, 74.1, 5e-16."""
    text = f"{value:.3g}"
    if "e" in text:
        digits, exponent = text.split("e")
        text = f"{value:,.0f}".replace(",", "") if 3 <= int(exponent) < 6 else f"{digits}e{int(exponent)}"
    return text.replace("-", "−")
