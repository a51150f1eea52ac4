"""One style for the plots of the benchmarks, in SVG files that follow the reader's light or dark scheme.

Colors and fonts are those of `docs/how-it-works.svg`. The same figures give the same bytes with the same version of
matplotlib, which this module needs.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

WIDTH = 640  # pixels
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
MEASURED = "DejaVu Sans"  # comes with matplotlib, and is wider than most of FONTS, so that their text has room
CLOSE = 6  # pixels between a circle and its name

GROUND, LINE, EDGE, MUTED, TEXT = "#fafaf8", "#e2e3df", "#8b929b", "#5c646e", "#1d2126"
ACCENT, OTHERS = "#1d4ed8", EDGE  # maskline, and what it is compared with
ORANGE, GREEN, PURPLE, GOLD = "#b45309", "#0a4d3a", "#a21a93", "#b08a30"
DARK = {
    GROUND: "#14171b",
    LINE: "#31363d",
    EDGE: "#6b747e",
    MUTED: "#9aa3ad",
    TEXT: "#e4e7ea",
    ACCENT: "#8ab0ff",
    ORANGE: "#f0b35a",
    GREEN: "#77ebc6",
    PURPLE: "#a34fdb",
    GOLD: "#9d811d",
}
CYCLE = cycler(color=(ACCENT, ORANGE, GREEN, PURPLE, GOLD, OTHERS), marker=list("os^DvP"))
*SERIES, OTHER = CYCLE  # color-blind readers see the difference in brightness, hue or marker

matplotlib.rcParams.update(
    {
        "font.family": MEASURED,
        "font.size": 12,
        "text.color": TEXT,
        "axes.facecolor": "none",
        "axes.edgecolor": EDGE,
        "axes.labelcolor": TEXT,
        "axes.labelsize": 13,
        "figure.labelsize": 13,
        "axes.titlesize": 13,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.prop_cycle": CYCLE,
        "grid.color": LINE,
        "xtick.color": EDGE,
        "ytick.color": EDGE,
        "xtick.labelcolor": TEXT,
        "ytick.labelcolor": TEXT,
        "lines.linewidth": 1.75,
        "lines.markersize": 5,
        "legend.borderaxespad": 0.8,
        "legend.frameon": False,
        "figure.constrained_layout.w_pad": 0.15,
        "figure.constrained_layout.h_pad": 0.12,
        "svg.fonttype": "none",
        "svg.hashsalt": "maskline",
    }
)


def panels(height: int, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """Return a figure of a height in pixels, and its panels as `Figure.subplots` returns them."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def legend(figure: Figure, columns: int) -> None:
    """Explain the labels of all panels above them, each label once."""
    found = [panel.get_legend_handles_labels() for panel in figure.axes]
    handles = {label: handle for pair in found for handle, label in zip(*pair, strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=columns)


def log_scale(panel: Axes, multiples: tuple[int, ...]) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at these multiples of powers of ten."""
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=multiples))
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panel.xaxis.set_minor_locator(NullLocator())


class Place(NamedTuple):
    """A place for the name of a point: its box, the box's side at the point, and a line from there to the point."""

    box: Bbox
    side: tuple[int, int]
    line: np.ndarray

    def overlaps(self, taken: Sequence[Bbox], panel: Bbox) -> int:
        """Return how many boxes the name and the line's box overlap, and how many corners are outside the panel."""
        outside = sum(not panel.contains(*corner) for corner in self.box.corners())
        return outside + self.box.count_overlaps(taken) + Bbox(self.line).count_overlaps(taken)


def places(center: np.ndarray, radius: float, size: np.ndarray) -> Iterator[Place]:
    """Yield places for a name of some size around a circle, the nearest first."""
    for distance, *side in product(range(3, 150, 6), (1, 0, -1), (0, 1, -1)):
        if any(side):
            direction = side / np.linalg.norm(side)
            start, end = (center + direction * (radius + away) for away in (1, distance))
            corner = end - size * (1 - np.array(side)) / 2
            yield Place(Bbox([corner, corner + size]), tuple(side), np.array([start, end]))


def name_points(panel: Axes, points: Mapping[str, tuple[float, float]], radii: Sequence[float]) -> None:
    """Write a name beside each circle, at the nearest place that is free, with a line if that is not close.

    Call this last, because the layout is final afterwards.
    """
    panel.figure.draw_without_rendering()
    panel.figure.set_layout_engine("none")
    centers = panel.transData.transform(list(points.values()))
    circles = list(zip(points, centers, radii, strict=True))
    taken = [Bbox([center - radius, center + radius]) for _, center, radius in circles]
    for name, center, radius in sorted(circles, key=lambda circle: -len(circle[0])):
        text = panel.text(*center, name, transform=None)
        size = text.get_window_extent().size
        place = min(places(center, radius, size), key=lambda place: place.overlaps(taken, panel.bbox))
        taken += [place.box, Bbox(place.line)]
        text.set(
            position=place.line[1],
            horizontalalignment=("center", "left", "right")[place.side[0]],
            verticalalignment=("center", "bottom", "top")[place.side[1]],
        )
        if np.ptp(place.line, axis=0).max() > CLOSE:
            panel.plot(*place.line.T, color=EDGE, marker="", linewidth=0.75, transform=None)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG with both schemes."""
    figure.patch.set_visible(False)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    drawn = file.getvalue().replace(f"'{MEASURED}'", FONTS)
    head, body = drawn[drawn.index("<svg") :].split(">", 1)
    head = head.replace('pt"', '"')  # a point as a pixel
    path.write_text(f"{head}>\n{both_schemes(*figure.bbox.size)}{body}", encoding="utf-8")


def both_schemes(width: float, height: float) -> str:
    """Return the colors of the dark scheme, and the ground."""
    rules = "\n".join(
        f'   [style*="{paint}: {light}"] {{ {paint}: {dark} !important }}'
        for light, dark in DARK.items()
        for paint in ("fill", "stroke")
    )
    style = f" <style>\n  @media (prefers-color-scheme: dark) {{\n{rules}\n  }}\n </style>\n"
    size = f'width="{width - 1:.0f}" height="{height - 1:.0f}"'
    return f'{style} <rect style="fill: {GROUND}; stroke: {LINE}" x="0.5" y="0.5" {size} rx="8"/>'
