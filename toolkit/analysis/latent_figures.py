"""Pictures of color codes: where they lie (paper A, figure 5), and what lies between two of them (figure 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.colors.lab_uint8 import lab_to_rgb8
from toolkit.files import make_folder, result_file
from toolkit.metrics.latent_probes import principal_components

LIGHTNESS = 60.0
DPI = 130


@dataclass
class Panel:
    """One scatter plot.

    Attributes:
        title: above it.
        codes: (N, D), or (N, 2) colors to be drawn as they are.
        colors: (N, 2) a, b.
        note: a line below the title.
        raw: no PCA.
    """

    title: str
    codes: np.ndarray
    colors: np.ndarray
    note: str = ''
    raw: bool = False


def draw_codes(rows: Sequence[Sequence[Panel]], path: str | Path) -> dict[str, list[float]]:
    """Figure 5: the first two principal components of codes, each point in the color it is the code of, at L = 60.

    Args:
        rows: panels, row under row.
        path: PNG to write.

    Returns:
        Title -> shares of the variance of both components.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    columns = max(map(len, rows))
    figure = Figure((3.3 * columns, 3.6 * len(rows)), layout='constrained')
    FigureCanvasAgg(figure)
    axes, shares = figure.subplots(len(rows), columns, squeeze=False), {}
    for places, row in zip(axes, rows):
        for place in places[len(row):]:
            place.set_axis_off()
        for place, panel in zip(places, row):
            points = panel.codes
            labels = ('a', 'b')
            if not panel.raw:
                points, share = principal_components(panel.codes, panel.colors)
                shares[panel.title] = share.tolist()
                labels = tuple(f'PC{i + 1} ({s:.0%})' for i, s in enumerate(share))
            lab = np.column_stack([np.full(len(panel.colors), LIGHTNESS), panel.colors])
            place.scatter(*points.T, s=float(np.clip(9000 / len(points), 4, 40)), c=lab_to_rgb8(lab) / 255, linewidths=0)
            place.set_aspect('equal', 'datalim')
            place.set_facecolor('#f4f4f4')
            place.set_xlabel(labels[0], fontsize=8)
            place.set_ylabel(labels[1], fontsize=8)
            place.tick_params(labelsize=7)
            place.set_title(panel.title + (f'\n{panel.note}' if panel.note else ''), fontsize=9)
    _save(figure, path)
    return shares


def draw_strips(rows: Sequence[tuple[str, np.ndarray, Sequence[np.ndarray], np.ndarray]], path: str | Path,
                captions: Sequence[str], title: str = '') -> None:
    """Figure 4: strips of pictures painted from interpolated codes, between the frames whose codes are their ends.

    Args:
        rows: label, frame of the first code, painted pictures, as many in each row, and frame of the last code; (H, W, 3) uint8.
        path: PNG to write.
        captions: one above each column of painted pictures.
        title: above all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    height, width = rows[0][2][0].shape[:2]
    steps, gap, line = len(rows[0][2]), max(2, width // 12), max(1, width // 64)
    centers = np.arange(steps + 2) * (width + gap) + width / 2 + line
    sheet_width = (steps + 2) * (width + gap) - gap + 2 * line
    inch = 1.4 / width
    figure = Figure((inch * sheet_width + 0.4, inch * (height + gap) * len(rows) + 0.6), layout='constrained')
    FigureCanvasAgg(figure)
    for place, (label, first, painted, last) in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows):
        sheet = np.full((height + 2 * line, sheet_width, 3), 255, np.uint8)
        for column, picture in enumerate([first, *painted, last]):
            left = column * (width + gap)
            if column in (0, steps + 1):
                sheet[:, left:left + width + 2 * line] = 0
            sheet[line:-line, left + line:left + line + width] = picture
        place.imshow(sheet, interpolation='nearest')
        place.set_ylabel(label, fontsize=8)
        place.set_frame_on(False)
        place.set_yticks([])
        place.set_xticks([])
        if place.get_subplotspec().is_first_row():
            place.xaxis.tick_top()
            place.set_xticks(centers, ['code of', *captions, 'code of'], fontsize=7)
            place.tick_params(length=0)
    if title:
        figure.suptitle(title, fontsize=9)
    _save(figure, path)


def _save(figure, path: str | Path) -> None:
    path = Path(path)
    with result_file(make_folder(path.parent) / path.name) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=DPI)
