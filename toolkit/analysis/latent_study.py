"""What color codes know and do, of several checkpoints side by side: numbers, and figures in one folder."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from toolkit.analysis.clip_control import Dressed, ModelPainter, RecoloringPainter, interpolate, measure_control
from toolkit.analysis.code_probes import encoder_of, interpolated_pictures, probe_encoder, probe_pictures
from toolkit.analysis.frame_bank import FrameBank
from toolkit.analysis.latent_figures import Panel, draw_codes, draw_strips
from toolkit.analysis.recolorable_clip import RecolorableClip
from toolkit.datasets.windows import ClipWindows
from toolkit.files import check_output, make_folder, result_file, write_json
from toolkit.locks import locked
from toolkit.metrics.evaluator import pick_clips
from toolkit.metrics.latent_report import Column, latent_json, latent_table
from toolkit.metrics.pck import ESTIMATORS, first_available
from toolkit.models.base import VideoModel
from toolkit.outputs import hidden, plain_name, refuse_filled
from toolkit.registry import DATASETS, REGION_ENCODERS, part_arguments
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError, check_seed

Progress = Callable[[str, str], Callable[[Iterable], Iterable]]
"""(what is done, unit) -> what wraps a loop over units, for a progress bar."""


class LatentStudy:
    """Measures models of stage I (BicycleGAN) and of stage II with color codes, and draws their codes.

    Clips are those of the config of each model: probes are fitted on training clips, everything else is measured on held-out ones,
    recolored with recorded draws. Beside each encoder stands the same one untrained.

    Args:
        out: folder for codes.png (principal components), strips_*.png (interpolations), codes_*.npz (the points) and probes.json.
        frames: to encode, of training clips and of held-out ones.
        clips: held-out clips that stage II paints.
        clip_frames: of each, from its middle.
        data: folder of prepared clips in place of those of the configs.
        seed: of frames, colors and noise.
        overwrite: replace figures and results that are there.
        progress: makes progress bars.

    Attributes:
        columns: of the table.
        panels: of the figure, by region.

    Raises:
        InputError: numbers that are too small, or a folder that holds files.
    """

    def __init__(self, out: str | Path, frames: int = 240, clips: int = 6, clip_frames: int = 8, data: str | Path | None = None,
                 seed: int = 0, overwrite: bool = False, progress: Progress = lambda what, unit: iter) -> None:
        for name, value, least in (('frames', frames, 40), ('clips', clips, 1), ('clip-frames', clip_frames, 2)):
            if value < least:
                raise InputError(f'--{name} must be at least {least}, got {value}')
        check_seed(seed, '--seed')
        check_output(out, folder=True)
        refuse_filled(out, overwrite)
        self.out, self.frames, self.clips, self.clip_frames = Path(out), frames, clips, clip_frames
        self.data, self.seed, self.overwrite, self.progress = data, seed, overwrite, progress
        self.columns: list[Column] = []
        self.panels: dict[str, list[Panel]] = {region: [] for region in REGIONS}
        self._banks, self._untrained, self._files = {}, set(), set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the folder to ourselves.

        Raises:
            InputError: another process measures into it, or has done so since it was looked at.
        """
        busy = f'{self.out}: another process measures into this folder; wait for it, or choose another --out'
        with locked(hidden(self.out.resolve(), 'lock'), wait=False, busy=busy, keep=False):
            refuse_filled(self.out, self.overwrite)
            yield

    def check(self, model: VideoModel, config: Config, name: str, label: str) -> None:
        """Refuse a model that has no codes to look at, before the clips of any are read.

        Args:
            model: of a checkpoint.
            config: of its training.
            name: of the checkpoint, for errors.
            label: see :meth:`look_at`.

        Raises:
            InputError: another kind of model, or without the clips to look at; codes that would go into the file of another model.
        """
        if model.encoder is None and model.codes is None and not model.references:
            raise InputError(f'{name} is of a {type(model).__name__} without color codes; expected stage I (BicycleGAN) or stage II '
                             f'with color codes (VideoPix2PixHD with model.color_codes) or with references, which are recolored')
        for half in ('train', 'test'):
            _dataset_config(config, half, self.data)
        several = [f'{label} {region}' for region in REGIONS] if model.codes is not None else []
        for file in map(_points_file, [label] if model.encoder is not None else several):
            if file in self._files:
                raise InputError(f'--labels: the codes of {label} would go into {file}, as those of another checkpoint; give it '
                                 'another name')
            self._files.add(file)

    def look_at(self, model: VideoModel, config: Config, label: str) -> None:
        """Measure one model and draw its interpolations.

        Args:
            model: in eval mode, on its device.
            config: of its training.
            label: in tables and figures, and in names of files.
        """
        (self._stage2 if model.encoder is None else self._stage1)(model, config, label)

    def _stage1(self, model: VideoModel, config: Config, label: str) -> None:
        encoder, region = model.encoder, model.encoder.region
        begun = config.model.get('encoder')  # the encoder's own config leaves out how its weights began
        column = self._probe(model, config, label, encoder_of(encoder, model.data_preprocessor), region,
                             begun.to_dict() if begun else encoder.config)
        test = self._bank(model, config, 'test')
        column.values |= probe_pictures(model, test, self.seed)
        strips = interpolated_pictures(model, test, seed=self.seed)
        captions = [f'{i}/{len(strips[0][2]) - 1}' for i in range(len(strips[0][2]))]
        title = f"{label}: in each row, the code of the garment ({region}) goes from the left picture's to the right picture's"
        draw_strips(strips, self.out / f'strips_{plain_name(label)}.png', captions, title)

    def _stage2(self, model: VideoModel, config: Config, label: str) -> None:
        clips = self._test_clips(model, config)  # first, as one may lack a garment
        codes, start, own = model.codes, 0, {}
        for region, encoder in (() if codes is None else (('up', codes.up), ('down', codes.down))):
            part = slice(start, start + encoder.nz)
            encode = encoder_of(encoder, model.data_preprocessor, codes.mean[part], codes.std[part])
            own[region] = self._probe(model, config, f'{label} {region}', encode, region, encoder.config, sampled=False)
            start += encoder.nz
        painter = RecoloringPainter(model, _colorizer(config)) if codes is None else ModelPainter(model)
        estimator, reason = first_available(ESTIMATORS)
        for column in measure_control(painter, clips, label, estimator, reason, self.seed, self.progress(f'{label}: painting', 'clip')):
            if column.region in own:
                own[column.region].values |= column.values
                own[column.region].reasons |= column.reasons
            else:
                self.columns.append(column)
        one = Dressed.draw(clips[0], painter, np.random.default_rng((self.seed, 1)))
        names = dict(up='upper code', down='lower code', both='both')
        strips = [(name, one.content[0], list(interpolate(painter, one, region)), one.clip.dressed(*one.mixed_outfit(region))[1])
                  for region, name in names.items()]
        captions = [f'frame {number}' for number in clips[0].numbers]
        draw_strips(strips, self.out / f'strips_{plain_name(label)}.png', captions, f'{label}: clip {clips[0].name}')

    def _probe(self, model: VideoModel, config: Config, label: str, encode: Callable, region: str, encoder: dict,
               sampled: bool = True) -> Column:
        """Columns of an encoder and of one of its config untrained, its panel and its points; returns its column."""
        train, test = (self._bank(model, config, half) for half in ('train', 'test'))
        values, points = probe_encoder(encode, train, test, region, self.seed, sampled)
        column = Column(label, region, values)
        self.columns.append(column)
        key = json.dumps([encoder, id(train), sampled], sort_keys=True)
        if key not in self._untrained:
            self._untrained.add(key)
            fresh = encoder_of(self._fresh(encoder, model.data_preprocessor.device), model.data_preprocessor)
            untrained, _ = probe_encoder(fresh, train, test, region, self.seed, sampled)
            self.columns.append(Column(f'{label} untrained', region, untrained, control=True))
        note = f'R2 {values["r2_mu"]:.2f}, other garment {values["r2_other"]:.2f}'
        self.panels[region].append(Panel(label, points.mu, points.colors, note))
        with result_file(make_folder(self.out) / _points_file(label)) as file:
            np.savez_compressed(file, mu=points.mu, colors=points.colors)
        return column

    def _fresh(self, encoder: dict, device: torch.device) -> nn.Module:
        torch.manual_seed(self.seed)
        return REGION_ENCODERS.build(dict(encoder)).to(device).eval()

    def _bank(self, model: VideoModel, config: Config, half: str) -> FrameBank:
        """Frames of a half of the clips, shared by models of the same data and added fields."""
        dataset, colorizer = _dataset_config(config, half, self.data), _colorizer(config)
        dataset |= dict(references=None, plate=False) if dataset.get('references') or dataset.get('plate') else {}
        key = json.dumps([dataset, colorizer, model.added_fields], sort_keys=True, default=str)
        if key not in self._banks:
            bar = self.progress(f'reading {"training" if half == "train" else "held-out"} frames', 'clip')
            windows: ClipWindows = DATASETS.build(dict(dataset, window=1))
            windows.add_fields(model.added_fields)
            self._banks[key] = FrameBank(windows, self.frames, self.seed, colorizer, bar)
        return self._banks[key]

    def _test_clips(self, model: VideoModel, config: Config) -> list[RecolorableClip]:
        """Held-out clips, two neighbors at a time, which mostly show the same person."""
        dataset: ClipWindows = DATASETS.build(dict(_dataset_config(config, 'test', self.data), window=None))
        dataset.add_fields(model.added_fields)
        pairs = {min(i + k, len(dataset) - 1) for i in pick_clips(len(dataset), -(-self.clips // 2)) for k in (0, 1)}
        return [RecolorableClip.read(dataset, i, self.clip_frames, _colorizer(config)) for i in sorted(pairs)[:self.clips]]

    def table(self) -> str:
        """The numbers of all models as text."""
        return latent_table(self.columns)

    def write(self, about: dict[str, Any]) -> None:
        """Write codes.png and probes.json.

        Args:
            about: what to say of the models in probes.json, beside the settings.
        """
        rows = []
        for region, panels in self.panels.items():
            if panels:
                colors = panels[0].colors
                rows.append([Panel(f'colors drawn: {region}', colors, colors, 'a code that is nothing but color', raw=True), *panels])
        shares = draw_codes(rows, self.out / 'codes.png') if rows else []
        settings = dict(frames=self.frames, clips=self.clips, clip_frames=self.clip_frames,
                        data=None if self.data is None else str(self.data), seed=self.seed)
        write_json(self.out / 'probes.json', dict(about=about | settings, explained_variance=shares, **latent_json(self.columns)))


def _points_file(label: str) -> str:
    return f'codes_{plain_name(label)}.npz'


def study_labels(paths: Sequence[Path], labels: Sequence[str] | None) -> list[str]:
    """Names of checkpoints: those given, or their folders, with the file's name where folders are alike.

    Raises:
        InputError: not one for each, or two that would be the same as names of files.
    """
    if labels is None:
        folders = [path.resolve().parent.name for path in paths]
        labels = [folder if folders.count(folder) == 1 else f'{folder}/{path.stem}' for folder, path in zip(folders, paths)]
    if len(labels) != len(paths) or len(set(map(plain_name, labels))) != len(labels):
        raise InputError(f'--labels: {len(paths)} different names are needed, one for each checkpoint, got {", ".join(labels)}')
    return list(labels)


def _dataset_config(config: Config, half: str, data: str | Path | None) -> dict:
    """Config of the data set of training or held-out clips, as they are on disk, without transforms.

    The config is that of a checkpoint, which may be a stranger's. So it chooses among prepared clips that are there: none are rendered,
    also none that references are taken from, and no other data set is built, such as one that loads a teacher.
    """
    loader = config.get(f'{half}_dataloader')
    changes = dict(transforms=[], cache='none', content='first', synthetic=None) | ({} if data is None else dict(root=str(data)))
    if not loader or not {*changes, 'window'} <= set(part_arguments(DATASETS.get(loader.dataset.type)) or ()):
        raise InputError(f'the config in the checkpoint has no {half}_dataloader with a dataset of prepared clips, such as ClipWindows')
    known = part_arguments(ClipWindows)
    chosen = {k: v for k, v in loader.dataset.to_dict().items() if k in known} | dict(changes, type='ClipWindows')
    references = chosen.get('references')
    if references and references.get('pool'):
        chosen['references'] = dict(references, pool=dict(references['pool'], synthetic=None))
    return chosen


def _colorizer(config: Config) -> dict | None:
    """How the run recolored clothes; None is the default."""
    transforms = config.train_dataloader.dataset.get('transforms', [])
    return next((t.get('colorizer') for t in transforms if t['type'] == 'RecolorGarments'), None)
