"""The probes of color codes by name: what each means, what it should be, and the table of results."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from toolkit.metrics.report import ARROWS
from toolkit.skeletons import REGIONS


@dataclass(frozen=True)
class Probe:
    """What a number means.

    Attributes:
        text: one line, complete enough to repeat the measurement.
        better: see :class:`toolkit.metrics.base.Definition`.
        limit: acceptance limit, or None.
        limited: regions whose columns the limit is for.
    """

    text: str
    better: str = ''
    limit: float | None = None
    limited: Sequence[str] = REGIONS

    def accepts(self, value: float) -> bool:
        """Whether a value keeps the limit."""
        return value >= self.limit if self.better == 'higher' else value <= self.limit


PROBES = {
    'r2_mu': Probe("R2 of a ridge probe mu -> (a, b) of the own garment, fitted on training clips, on held-out clips", 'higher', 0.8),
    'r2_z': Probe('the same from the sampled z: does color survive the noise?', 'higher', 0.8),
    'r2_neighbors': Probe('the same from the 10 nearest training codes', 'higher'),
    'r2_new_person': Probe('ridge probe mu -> (a, b) on persons it was not fitted on (5 folds by person)', 'higher'),
    'r2_shuffled': Probe('control: r2_mu with the training colors shuffled; at most 0'),
    'r2_both': Probe('r2_mu with both garments recolored', 'higher'),
    'r2_other': Probe("R2 of mu -> (a, b) of the OTHER garment, both recolored", 'lower', 0.2),
    'dcor': Probe('distance correlation of mu and (a, b)', 'higher'),
    'distance_rank': Probe('Spearman correlation of pairwise distances of mu and of (a, b)', 'higher'),
    'hue': Probe('circular correlation of the hue that the probe finds with the true one', 'higher'),
    'person': Probe('share of held-out frames whose person a linear probe finds in mu', 'lower'),
    'person_chance': Probe('the same by guessing'),
    'pose': Probe('R2 of a ridge probe mu -> joint coordinates', 'lower'),
    'nats': Probe('KL divergence of a code from N(0, 1); 0 means that it collapsed'),
    'sigma': Probe('mean standard deviation of the sampled code'),
    'swap_dab': Probe("distance in a, b of G(F, mu of another frame)'s garment from that frame's garment", 'lower', 20),
    'swap_de': Probe('the same as dE76 in L, a, b', 'lower'),
    'swap_blind': Probe('swap_dab of a generator that always paints the mean color'),
    'inside': Probe('mean |G(F, z1) - G(F, z2)| inside the garment, pictures in [-1, 1]', 'higher'),
    'outside': Probe('the same where nothing of the garment is', 'lower'),
    'l1': Probe('mean |G(F, mu) - frame|, pictures in [-1, 1]', 'lower'),
    'monotone': Probe('share of steps along a linear interpolation of codes that go towards the color at its end', 'higher'),
    'resp': Probe("share of the wanted change of the garment's mean a, b that is delivered when only this garment's code is exchanged",
                  'higher', 0.9),
    'de': Probe("dE76 of the garment's mean from the recolored clip's, code of the clip's recolored content frame", 'lower', 10),
    'dab': Probe('the same in a, b', 'lower'),
    'de_actor': Probe("dE76 of the garment's mean from the donor's content frame, donor another clip of the same person", 'lower', 10),
    'de_across': Probe('the same, donor another person', 'lower'),
    'dab_across': Probe('de_across in a, b', 'lower'),
    'dab_blind': Probe('dab of a generator that always paints the mean color'),
    'moved_own': Probe("mean per-pixel dE76 of the own half of the body when only this garment's code is exchanged", 'higher'),
    'moved_other': Probe('the same in the other half of the body', 'lower', 4, ('up',)),
    'moved_head_hands': Probe('the same on head and hands', 'lower', 4, ('up',)),
    'moved_background': Probe('the same in the background', 'lower', 1.5, ('up',)),
    'sharpness': Probe('mean |Laplacian| of luma inside the person, generated / recolored', 'one'),
    'pck': Probe('PCK@0.1 of limb joints in generated frames in recolored clothes'),
    'pck_change': Probe('that less PCK@0.1 in their own clothes'),
    'pck_real': Probe('PCK@0.1 in the real, recolored frames: what a perfect generator would get'),
}
MISSING = '-'


@dataclass
class Column:
    """Results of one encoder or model.

    Attributes:
        label: of the column.
        region: 'up', 'down' or 'both'.
        values: probe -> number.
        reasons: probe -> why there is none.
        control: keeps no limits.
    """

    label: str
    region: str
    values: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    control: bool = False

    def verdict(self, name: str) -> str:
        """'ok', 'missed', or '' where there is no limit for this column."""
        probe, value = PROBES[name], self.values.get(name)
        if value is None or value != value or probe.limit is None or self.control or self.region not in probe.limited:
            return ''
        return 'ok' if probe.accepts(value) else 'missed'


def latent_table(columns: Sequence[Column], width: int = 160) -> str:
    """Aligned table of the probes that at least one column has, their limits and, below, their definitions.

    Args:
        columns: results.
        width: characters in a line of a definition.

    Returns:
        Lines of text. A number that misses its limit is marked by ``!``.
    """
    shown = [name for name in PROBES if any(name in column.values or name in column.reasons for column in columns)]
    rows = [['probe', 'limit', *(column.label for column in columns)]]
    for name in shown:
        probe = PROBES[name]
        sign = {'higher': '>=', 'lower': '<='}.get(probe.better, '')
        limit = '' if probe.limit is None else f'{sign} {probe.limit:g}'
        if probe.limit is not None and len(probe.limited) == 1:
            limit += f' ({probe.limited[0]})'
        rows.append([f'{name} {ARROWS[probe.better]}'.rstrip(), limit, *(_cell(column, name) for column in columns)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ['  '.join([row[0].ljust(widths[0]), row[1].ljust(widths[1]), *(c.rjust(w) for c, w in zip(row[2:], widths[2:]))])
             for row in rows]
    lines.insert(1, '-' * max(map(len, lines)))
    lines += ['', 'Definitions (! misses its limit):']
    longest = max(map(len, shown), default=0)
    for name in shown:
        first, *others = textwrap.wrap(PROBES[name].text, max(width - longest - 2, 40))
        lines += [f'{name.ljust(longest)}  {first}', *(' ' * (longest + 2) + other for other in others)]
    reasons = {f'{name}: {reason}': None for column in columns for name, reason in column.reasons.items()}
    return '\n'.join([*lines, *reasons])


def _cell(column: Column, name: str) -> str:
    value = column.values.get(name)
    if value is None or value != value:
        return 'n/a' if name in column.reasons or value is not None else MISSING
    return f'{value:.3f}' + ('!' if column.verdict(name) == 'missed' else '')


def latent_json(columns: Sequence[Column]) -> dict:
    """Results as plain values, with definitions: ``columns`` and ``definitions``."""
    used = {name for column in columns for name in (*column.values, *column.reasons)}
    definitions = {name: dict(text=p.text, better=p.better, limit=p.limit, limited=list(p.limited))
                   for name, p in PROBES.items() if name in used}
    plain = [dict(label=c.label, region=c.region, reasons=c.reasons,
                  values={name: 'n/a' if value != value else float(value) for name, value in c.values.items()},
                  verdicts={name: v for name in c.values if (v := c.verdict(name))}) for c in columns]
    return dict(columns=plain, definitions=definitions)
