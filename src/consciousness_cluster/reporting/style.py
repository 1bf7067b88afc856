"""What all figures share: theme, one colour and marker per condition, and files that are the same every time."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
import seaborn
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from ..core.io import write_bytes, write_text

FORMATS = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""File formats, each with the metadata that would differ between runs or versions, left out."""

TITLE_SIZE, NOTE_SIZE = 11.0, 7.5
INK, FAINT = "#262626", "#4d4d4d"
EDGE = 0.12  # inches of white around everything


class Look(NamedTuple):
    """How a condition is drawn, the same in every figure."""

    color: str
    marker: str


# Colours of Okabe and Ito's colour-blind-safe set as in seaborn's "colorblind"; markers tell them apart without colour.
_FIXED = {
    "vanilla": Look("#6e6e6e", "o"),
    "conscious_claiming": Look("#d55e00", "D"),
    "non_conscious": Look("#0173b2", "s"),
    "toaster": Look("#cc78bc", "^"),
    "human": Look("#029e73", "v"),
}
_FURTHER_COLORS = ("#56b4e9", "#de8f05", "#5b3a8e", "#ca9161", "#1f1f1f", "#b8a800")
_FURTHER_MARKERS = ("<", ">", "p", "h", "X", "P", "*")


def looks(conditions: Iterable[str]) -> dict[str, Look]:
    """Colour and marker of each condition: fixed for the known names, from the palette by order for others.

    Args:
        conditions: all conditions of the experiment in its order, so that a figure of some of them agrees with others.
    """
    names = list(dict.fromkeys(conditions))
    further = [name for name in names if name not in _FIXED]
    found = {
        name: Look(_FURTHER_COLORS[n % len(_FURTHER_COLORS)], _FURTHER_MARKERS[n % len(_FURTHER_MARKERS)])
        for n, name in enumerate(further)
    }
    return {name: _FIXED.get(name) or found[name] for name in names}


@contextmanager
def theme() -> Iterator[None]:
    """Draw inside this: seaborn's paper context with one font that ships with matplotlib, so machines agree."""
    own = {
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "axes.labelsize": 8.5,
        "axes.titlesize": 9.0,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": "#8c8c8c",
        "axes.linewidth": 0.8,
        "axes.labelcolor": INK,
        "text.color": INK,
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.7,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "legend.fontsize": 8.0,
        "legend.frameon": False,
        "hatch.linewidth": 0.6,
        "svg.fonttype": "path",
        "svg.hashsalt": "consciousness-cluster",
        "pdf.fonttype": 42,
    }
    rc: dict[Any, Any] = {**seaborn.plotting_context("paper"), **seaborn.axes_style("whitegrid"), **own}
    with matplotlib.rc_context(rc):
        yield


def framed(
    body: tuple[float, float],
    title: str,
    note: str,
    handles: Sequence[Artist] = (),
    *,
    left: float = 0.7,
    right: float = 0.2,
    above: float = 0.35,
    below: float = 0.5,
) -> tuple[Figure, dict[str, float]]:
    """A figure around a body of panels: its question and legend on top, its footnote below, nothing overlapping.

    Sizes are in inches, so that text has the same size in every figure and long notes make a figure taller.

    Args:
        body: width and height of the panels together.
        title: the question that the figure answers.
        note: what the marks stand for.
        handles: entries of the legend.
        left: room for labels left of the body; ``right``: right of it.
        right: see ``left``.
        above: room for panel titles; ``below``: for tick labels and the axis label.
        below: see ``above``.

    Returns:
        The figure, and where the panels go (for ``gridspec_kw``).
    """
    width = left + body[0] + right
    titles = textwrap.wrap(title, max(int((width - 2 * EDGE) * 9.8), 20))
    notes = textwrap.wrap(note, max(int((width - 2 * EDGE) * 17.2), 30))
    columns = _legend_columns(handles, width)
    head = EDGE + 0.2 * len(titles) + 0.18 * math.ceil(len(handles) / columns) + 0.06
    foot = EDGE + 0.15 * len(notes)
    height = head + above + body[1] + below + foot
    figure = Figure(figsize=(width, height))
    figure.text(EDGE / width, 1 - EDGE / height, "\n".join(titles), size=TITLE_SIZE, weight="bold", va="top")
    figure.text(
        EDGE / width, EDGE / height, "\n".join(notes), size=NOTE_SIZE, color=FAINT, linespacing=1.35, va="bottom"
    )
    if handles:
        figure.legend(
            # matplotlib fills column by column, people read row by row
            handles=[handle for column in range(columns) for handle in handles[column::columns]],
            loc="upper left",
            bbox_to_anchor=(EDGE / width, 1 - (EDGE + 0.2 * len(titles) + 0.04) / height),
            borderaxespad=0,
            borderpad=0,
            ncols=columns,
            columnspacing=1.6,
            handletextpad=0.5,
        )
    box = {
        "left": left / width,
        "right": 1 - right / width,
        "bottom": (foot + below) / height,
        "top": 1 - (head + above) / height,
    }
    return figure, box


def _legend_columns(handles: Sequence[Artist], width: float) -> int:
    """As many columns as fit, by the mean width of a letter."""
    widths = [0.55 + 0.06 * len(str(handle.get_label())) for handle in handles]
    if sum(widths) < width:
        return max(1, len(handles))
    return max(1, int(width / max(widths)))


def save(figure: Figure, output_stem: str | Path) -> list[Path]:
    """Write ``<stem>.svg``, ``.png`` (150 dpi) and ``.pdf``; the same figure gives the same bytes.

    Call it inside `theme`: fonts and the ids inside the SVG follow from its settings.
    """
    paths = []
    for kind, metadata in FORMATS.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
        path = Path(f"{output_stem}.{kind}")
        write_bytes(path, buffer.getvalue())
        paths.append(path)
    return paths


def save_table(table: pd.DataFrame, output_stem: str | Path) -> Path:
    """Write the rows that were drawn as ``<stem>.csv``, digits as in the tables of the aggregation."""
    path = Path(f"{output_stem}.csv")
    write_text(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    return path
