"""The plot of Bland and Altman: difference of both values against their mean, with the limits of agreement."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml.statistics.agreement import Limits

WIDTH, HEIGHT = 360, 180
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 8, 28


@dataclass(frozen=True)
class Line:
    y: float
    value: float
    is_mean: bool

    @property
    def text_y(self) -> float:
        """Where its label stands: its middle at the line."""
        return round(self.y + 3.5, 1)


@dataclass(frozen=True)
class Plot:
    """The places of what is drawn, in a picture of WIDTH x HEIGHT."""

    points: tuple[tuple[float, float], ...]
    lines: tuple[Line, ...]
    low: float
    high: float
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def plot_of(points: Sequence[tuple[float, float]], limits: Limits | None) -> Plot | None:
    """Return the plot of pairs (first, second) that have limits of agreement."""
    if limits is None:
        return None
    means = [(first + second) / 2 for first, second in points]
    differences = [first - second for first, second in points]
    lines = (limits.lower.value, limits.mean.value, limits.upper.value)
    x_low, x_high = _widened(min(means), max(means))
    y_low, y_high = _widened(min(*differences, *lines), max(*differences, *lines))

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (y_high - value) / (y_high - y_low), 1)

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - x_low) / (x_high - x_low), 1)

    return Plot(
        tuple((x(mean), y(difference)) for mean, difference in zip(means, differences, strict=True)),
        tuple(Line(y(value), value, index == 1) for index, value in enumerate(lines)), min(means), max(means),
    )  # fmt: skip


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = (high - low) * 0.08 or 1.0
    return low - margin, high + margin
