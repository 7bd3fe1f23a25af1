"""What a color encoder's codes say, and what a generator of stage I makes of them, on recolored frames with recorded colors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.analysis.frame_bank import LEAST_FRAMES, FrameBank
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.metrics.color_control import delta_e, monotonicity, region_mean
from toolkit.metrics.latent_probes import (
    distance_correlation,
    distance_rank_correlation,
    grouped_r2,
    hue_correlation,
    linear_accuracy,
    neighbor_r2,
    r_squared,
    ridge_predict,
    ridge_r2,
)
from toolkit.models.base import VideoModel
from toolkit.region_encoders.region_encoder import RegionEncoder
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError

Encode = Callable[[FrameBank, np.ndarray], tuple[np.ndarray, np.ndarray]]
CHUNK = 16
PATHS, STEPS, SHUFFLES = 16, 7, 20


@dataclass
class Points:
    """Codes of recolored frames, for figures.

    Attributes:
        mu: (N, D).
        colors: (N, 2) a, b of the garment.
    """

    mu: np.ndarray
    colors: np.ndarray


def encoder_of(encoder: RegionEncoder, preprocessor, mean: Tensor | None = None, std: Tensor | None = None) -> Encode:
    """Make an encoder a function of a bank's frames.

    Args:
        encoder: in eval mode, on the preprocessor's device.
        preprocessor: of its model.
        mean: (D,) to subtract from mu.
        std: (D,) to divide the code by.

    Returns:
        (bank, frames) -> mu (N, D), logvar (N, D) float64.
    """

    @torch.no_grad()
    def encode(bank: FrameBank, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for start in range(0, len(bank), CHUNK):
            batch = preprocessor(bank.batch(frames, slice(start, start + CHUNK)))
            mu, logvar = encoder(*(batch[key].flatten(0, 1) for key in ('frames', 'regions', 'masks')))
            if std is not None:
                mu, logvar = (mu - mean) / std, logvar - 2 * std.log()
            found.append(torch.stack([mu, logvar]).double().cpu().numpy())
        return tuple(np.concatenate(found, 1))

    return encode


def probe_encoder(encode: Encode, train: FrameBank, test: FrameBank, region: str, seed: int = 0,
                  sampled: bool = True) -> tuple[dict[str, float], Points]:
    """All probes of codes, see :data:`toolkit.metrics.latent_report.PROBES`.

    Args:
        encode: of :func:`encoder_of`.
        train: frames of training clips, which probes are fitted on.
        test: frames of held-out clips.
        region: 'up' or 'down'.
        seed: of colors and noise.
        sampled: the encoder has a variance that means something.

    Returns:
        probe -> number, NaN where frames do not allow it: no held-out frame of a person of training, or none with both garments; and
        the codes of training frames with their own garment recolored.

    Raises:
        InputError: the garment is seen in too few frames.
    """
    place, rng = REGIONS.index(region), np.random.default_rng((seed, 7))
    own = [_codes(encode, bank, (region,), (seed, number), place) for number, bank in enumerate((train, test), 1)]
    for which, bank, (*_, found) in zip(('training', 'held-out'), (train, test), own):
        if len(found) < LEAST_FRAMES:
            raise InputError(f'the {dict(up="upper", down="lower")[region]} garment is seen in {len(found)} of {len(bank)} {which} '
                             f'frames, codes need at least {LEAST_FRAMES} to be measured on; take clips that show it, or more frames')
    both = [_codes(encode, bank, REGIONS, (seed, number), slice(None)) for number, bank in enumerate((train, test), 3)]
    (mu, logvar, ab, seen), (test_mu, test_logvar, test_ab, test_seen) = own
    persons, test_persons = (np.array(bank.persons)[s] for bank, s in ((train, seen), (test, test_seen)))
    predicted = ridge_predict(mu, ab, test_mu)
    values = dict(r2_mu=r_squared(predicted, test_ab))
    if sampled:
        z, test_z = (m + np.exp(0.5 * v) * rng.standard_normal(m.shape) for m, v in ((mu, logvar), (test_mu, test_logvar)))
        values['r2_z'] = ridge_r2(z, ab, test_z, test_ab)
    values |= dict(
        r2_neighbors=neighbor_r2(mu, ab, test_mu, test_ab),
        r2_new_person=grouped_r2(np.concatenate([mu, test_mu]), np.concatenate([ab, test_ab]), np.concatenate([persons, test_persons])),
        r2_shuffled=float(np.mean([ridge_r2(mu, rng.permutation(ab), test_mu, test_ab) for _ in range(SHUFFLES)])),
        r2_both=_r2_of(both, place), r2_other=_r2_of(both, 1 - place),
        dcor=distance_correlation(test_mu, test_ab), distance_rank=distance_rank_correlation(test_mu, test_ab, seed=seed),
        hue=hue_correlation(predicted, test_ab), person=_person_found(mu, persons, test_mu, test_persons),
        person_chance=1 / len(set(persons)), pose=_pose_r2(train, test, mu, test_mu, seen, test_seen))
    if sampled:
        values['nats'] = float(0.5 * (test_mu**2 + np.exp(test_logvar) - 1 - test_logvar).sum(1).mean())
        values['sigma'] = float(np.exp(0.5 * test_logvar).mean())
    return values, Points(mu, ab)


@torch.no_grad()
def probe_pictures(model: VideoModel, bank: FrameBank, seed: int = 0) -> dict[str, float]:
    """What a generator of stage I does with codes, see :data:`toolkit.metrics.latent_report.PROBES`.

    Args:
        model: in eval mode, with an ``encoder``.
        bank: frames of held-out clips; each gets the code of another one.
        seed: of colors and of who gets whose code.
    """
    region = model.encoder.region
    place, preprocessor = REGIONS.index(region), model.data_preprocessor
    recolored = bank.recolored((region,), (seed, 2))
    mu, _ = encoder_of(model.encoder, preprocessor)(bank, recolored.frames)
    mu = torch.from_numpy(mu).float().to(preprocessor.device)
    weights = bank.weights[place].astype(np.float32) / 255
    true = region_mean(rgb8_to_lab(recolored.frames), weights)
    order = np.random.default_rng((seed, 8)).permutation(np.flatnonzero(np.isfinite(recolored.colors[:, place, 0])))
    donors = np.roll(order, 1)
    painted, inside, outside, l1, paths = [], [], [], [], []
    for start in range(0, len(order), CHUNK):
        chosen, donor = order[start:start + CHUNK], donors[start:start + CHUNK]
        frames = model.frames_of(preprocessor(bank.batch(recolored.frames, chosen)))
        own, other = (_paint(model, frames, mu[rows]) for rows in (chosen, donor))
        painted.append(region_mean(rgb8_to_lab(other), weights[chosen]))
        moved = np.abs(own.astype(np.float64) - other).mean(-1) / 127.5
        inside.append(moved[weights[chosen] > 0.5])
        outside.append(moved[weights[chosen] == 0])
        l1.append(np.abs(own.astype(np.float64) - recolored.frames[chosen]).mean((1, 2, 3)) / 127.5)
        if start < PATHS:
            shares = np.linspace(0, 1, STEPS)
            steps = [_paint(model, frames, torch.lerp(mu[chosen], mu[donor], float(s))) for s in shares]
            paths.append(np.stack([region_mean(rgb8_to_lab(p), weights[chosen])[:, 1:] for p in steps], 1))
    painted, wanted = np.concatenate(painted), true[donors]
    return dict(
        swap_dab=float(delta_e(painted[:, 1:], wanted[:, 1:]).mean()), swap_de=float(delta_e(painted, wanted).mean()),
        swap_blind=float(delta_e(wanted[:, 1:], wanted[:, 1:].mean(0)).mean()), inside=float(np.concatenate(inside).mean()),
        outside=float(np.concatenate(outside).mean()), l1=float(np.concatenate(l1).mean()),
        monotone=monotonicity(np.concatenate(paths)))


@torch.no_grad()
def interpolated_pictures(model: VideoModel, bank: FrameBank, rows: int = 4, steps: int = STEPS, seed: int = 0,
                          ) -> list[tuple[str, np.ndarray, list[np.ndarray], np.ndarray]]:
    """Frames painted from codes on the way from one recolored frame's to another's (paper A, figure 4).

    Args:
        model: in eval mode, with an ``encoder``.
        bank: held-out frames.
        rows: how many frames, of different persons where there are; in turn, the codes are the same person's and others'.
        steps: codes on the way, both ends among them.
        seed: of the choice.

    Returns:
        For each row a label, the frame that gave the first code, the painted pictures, and the frame that gave the last, (H, W, 3)
        uint8; the last code is of the frame whose hue differs most from the first's.
    """
    region, preprocessor, rng = model.encoder.region, model.data_preprocessor, np.random.default_rng((seed, 9))
    recolored = bank.recolored((region,), (seed, 2))
    mu = torch.from_numpy(encoder_of(model.encoder, preprocessor)(bank, recolored.frames)[0]).float().to(preprocessor.device)
    hue = np.arctan2(*recolored.colors[:, REGIONS.index(region)].T[::-1])
    seen, strips = np.flatnonzero(np.isfinite(hue)), []
    shares = torch.linspace(0, 1, steps, device=mu.device)[:, None]
    persons = np.array(bank.persons)
    everybody = rng.permutation(np.unique(persons[seen]))
    for row in range(rows):
        person = everybody[row % len(everybody)]
        same, own = persons[seen] == person, row % 2 == 0 or len(everybody) == 1
        frame, others, label = rng.choice(seen[same]), seen[same == own], 'own codes' if own else "others' codes"
        first = rng.choice(others)
        last = others[np.argmin(np.cos(hue[others] - hue[first]))]
        chosen = np.full(steps, frame)
        frames = model.frames_of(preprocessor(bank.batch(recolored.frames, chosen)))
        painted = _paint(model, frames, torch.lerp(mu[first], mu[last], shares))
        strips.append((label, recolored.frames[first], list(painted), recolored.frames[last]))
    return strips


def _paint(model: VideoModel, frames: Any, z: torch.Tensor) -> np.ndarray:
    return model.data_preprocessor.to_uint8(model.decode(frames.features, z, frames.regions)).numpy()


def _codes(encode: Encode, bank: FrameBank, regions, seed, place) -> tuple[np.ndarray, ...]:
    """mu, logvar, colors and numbers of the frames whose garments are seen."""
    recolored = bank.recolored(regions, seed)
    colors = recolored.colors[:, place]
    seen = np.flatnonzero(np.isfinite(colors).reshape(len(bank), -1).all(1))
    mu, logvar = encode(bank, recolored.frames)
    return mu[seen], logvar[seen], colors[seen], seen


def _r2_of(both: list[tuple], place: int) -> float:
    (mu, _, colors, _), (test_mu, _, test_colors, _) = both
    if min(len(mu), len(test_mu)) < LEAST_FRAMES:
        return float('nan')
    return ridge_r2(mu, colors[:, place], test_mu, test_colors[:, place])


def _person_found(mu: np.ndarray, persons: np.ndarray, test_mu: np.ndarray, test_persons: np.ndarray) -> float:
    """Persons that training frames do not show cannot be found, which says nothing about codes: they are left out."""
    known = np.isin(test_persons, persons)
    return linear_accuracy(mu, persons, test_mu[known], test_persons[known]) if known.any() else float('nan')


def _pose_r2(train: FrameBank, test: FrameBank, mu: np.ndarray, test_mu: np.ndarray, seen: np.ndarray, test_seen: np.ndarray) -> float:
    there = (np.concatenate([train.poses, test.poses])[..., 2] > 0).all(0)
    poses, test_poses = (bank.poses[rows][:, there, :2].reshape(len(rows), -1) for bank, rows in ((train, seen), (test, test_seen)))
    return ridge_r2(mu, poses, test_mu, test_poses) if there.any() else float('nan')
