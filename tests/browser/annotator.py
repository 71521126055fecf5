"""Hands for the annotator: find a pixel on the screen, draw with the mouse or the keys, read what it shows."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, expect

from apps.imaging.models import Series

Place = tuple[float, float]  # row, column


class Hands:
    """One person at the annotator of a series."""

    def __init__(self, page: Page, series: Series) -> None:
        self.page, self.grid = page, series.geometry
        page.wait_for_selector("[data-island=annotator][data-ready]", timeout=60_000)
        self.stage = page.locator("[data-part=stage]")
        box = self.stage.bounding_box()
        assert box is not None
        self.box = box

    def screen(self, place: Place) -> tuple[float, float]:
        """Where a pixel's center is seen while the whole slice is shown, as large as it goes."""
        dy, dx = self.grid["pixel_spacing"]
        rows, columns = self.grid["rows"], self.grid["columns"]
        scale = min(self.box["width"] / (columns * dx), self.box["height"] / (rows * dy))
        x = self.box["x"] + self.box["width"] / 2 + (place[1] - (columns - 1) / 2) * dx * scale
        y = self.box["y"] + self.box["height"] / 2 + (place[0] - (rows - 1) / 2) * dy * scale
        return x, y

    def go(self, index: int) -> None:
        """Go to a slice, counted from the foot, by the keys."""
        self.stage.focus()
        while (here := self.slice) != index:
            self.page.keyboard.press("PageUp" if here < index else "PageDown")
            expect(self.page.locator("[data-part=slider]")).to_have_js_property(
                "value", str(here + 2 if here < index else here)
            )

    @property
    def slice(self) -> int:
        return int(self.page.locator("[data-part=slider]").input_value()) - 1

    def drag(self, *places: Place) -> None:
        """Press at the first place, move over the others, and let go."""
        self.page.mouse.move(*self.screen(places[0]))
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*self.screen(place), steps=4)
        self.page.mouse.up()

    def scribble(self, region: np.ndarray, step: float) -> None:
        """Sweep back and forth over what encloses a region (y, x), row after row `step` pixels apart."""
        rows, columns = np.nonzero(region)
        left, right = float(columns.min()), float(columns.max())
        places: list[Place] = []
        for number, row in enumerate(np.arange(rows.min(), rows.max() + step, step)):
            ends = [(float(row), left), (float(row), right)]
            places += ends if number % 2 == 0 else ends[::-1]
        self.drag(*places)

    def milliliters(self, label: int = 1) -> float:
        return float(self.page.locator(f"[data-ml='{label}']").inner_text())

    def wait_until_saved(self) -> None:
        expect(self.page.locator("[data-annotator-saved]")).to_have_text("saved")

    def set_size(self, mm: int) -> None:
        self.page.locator("[data-part=size]").fill(str(mm))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))
