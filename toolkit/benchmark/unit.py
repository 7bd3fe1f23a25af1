"""One unit of a benchmark: a config trained with a budget, tested at each of its points, and its cost."""

import gc
import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from toolkit.analysis.clip_control import ModelPainter, RecoloringPainter, measure_control
from toolkit.analysis.recolorable_clip import RecolorableClip
from toolkit.benchmark.plan import Unit, made_from, network_files, options_of
from toolkit.datasets.windows import ClipWindows
from toolkit.doors import read_json
from toolkit.engine.budget_hook import BudgetHook, peak_memory, point_file, reset_peak_memory, scaled
from toolkit.engine.config import load_config, read_plain
from toolkit.engine.evaluation import Evaluation
from toolkit.engine.launch import build_runner
from toolkit.engine.needs import meet_needs
from toolkit.engine.optim import optimizers
from toolkit.engine.trained_on import trained_frames
from toolkit.files import result_file, write_json
from toolkit.losses.frozen import FrozenNetworkLoss
from toolkit.metrics.evaluator import pick_clips
from toolkit.metrics.parts import ClipParts
from toolkit.models.bare import bare
from toolkit.structures import InputError, spread
from toolkit.weights import latest_checkpoint, read_checkpoint

ENDLESS = 10**9
SPEED_FRAMES = 8
REHEARSAL_FRAMES = 4
CONTROL_CLIPS, CONTROL_FRAMES = 8, 16
SPENT = 'spent.json'
"""In the folder of a run: the seconds of all that was done for it so far."""


def config_of(unit: Unit) -> Config:
    """The config of a unit, whole: its data, budget, seed and metrics written in; no previews and no validation.

    Raises:
        InputError: an override that the config does not take; with minutes, other schedules for one optimizer than for another.
    """
    _, plain = read_plain(unit.config)
    cfg = load_config(unit.config, options_of(unit, plain))
    cfg.test_evaluator = [dict(metric) for metric in unit.metrics]
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=unit.seed)
    for key in ('val_dataloader', 'val_evaluator', 'val_cfg'):
        cfg._cfg_dict.pop(key, None)
    if unit.untrained:
        cfg._cfg_dict['model'] = dict(type=unit.untrained)
        return cfg
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook['type'] != 'GenerateHook']
    schedulers = cfg.get('param_scheduler') or []
    schedulers = schedulers if isinstance(schedulers, Mapping) and 'type' not in schedulers else {'': schedulers}
    schedulers = {name: [dict(s) for s in ([own] if isinstance(own, Mapping) else own or [])] for name, own in schedulers.items()}
    alike = next(iter(schedulers.values()), [])
    own, last = cfg.train_cfg.max_iters, unit.points[-1]
    window = math.lcm(*(max(entry.get('accumulative_counts', 1), 1) for entry in optimizers(cfg)))  # a run ends with a whole one
    if unit.timed:
        if any(one != alike for one in schedulers.values()):
            raise InputError(f'{unit.row}: param_scheduler differs between optimizers ({", ".join(schedulers)}), but a budget of '
                             f'minutes has one schedule for all of them; give all the same, or a budget of iterations')
        hook = dict(type='BudgetHook', minutes=list(unit.points), clock=unit.clock, schedulers=alike, length=own)
        cfg.train_cfg.max_iters, schedulers = ENDLESS // window * window, []
    else:
        hook = dict(type='BudgetHook', iterations=[int(point) for point in unit.points], clock=unit.clock)
        cfg.train_cfg.max_iters = math.ceil(max(last, 1) / window) * window
        if last and last != own:
            schedulers = {name: scaled(one, last / own) for name, one in schedulers.items()}
        schedulers = schedulers.get('', schedulers)
    cfg._cfg_dict['param_scheduler'], cfg._cfg_dict['custom_hooks'] = schedulers, [*hooks, hook]
    cfg.train_cfg.pop('val_interval', None)
    default = dict(cfg.get('default_hooks') or {})
    checkpoint = {k: v for k, v in (default.get('checkpoint') or dict(type='CheckpointHook')).items() if k in ('type', 'interval')}
    cfg.default_hooks = {**default, 'checkpoint': {**checkpoint, 'max_keep_ckpts': 1}}
    if unit.init:
        cfg.load_from = unit.init
        for name, need in list((cfg.get('needs') or {}).items()):
            if _at(need, ['part']) == 'load_from':  # it would take the place of what the row names
                del cfg.needs[name]
    return cfg


def run_unit(unit: Unit, folder: Path, device: str, wait: bool = True) -> dict[str, Any]:
    """Train and test.

    Args:
        unit: what.
        folder: of its run, which goes on where an earlier one was stopped. It stays: remove it when the result is kept.
        device: ``'cuda'`` or ``'cpu'``.
        wait: for what another process trains that the unit builds on, or raise
            :class:`BeingMade <toolkit.engine.needs.BeingMade>`.

    Returns:
        ``points``: for each its label, iteration, seconds, metrics as :func:`toolkit.metrics.report.to_json` has them, what was tested
        (see :class:`_Keeper`), what of that the weights were trained on, and cost;
        ``total_seconds``: with those of earlier runs that were stopped. Frames for the sheet are written beside ``folder``.

    Raises:
        Whatever building, training or testing raises.
    """
    start, cfg, spent = time.time(), config_of(unit), folder / SPENT
    before = read_json(spent) if spent.exists() else 0.0
    frames = folder.parent / 'frames'
    frames.mkdir(parents=True, exist_ok=True)
    try:
        points = []
        for number, reached in enumerate([dict(path=None)] if unit.untrained else _train(unit, cfg, folder, wait)):
            found = _test(unit, cfg, reached.pop('path'), device, frames / f'{number}.npz')
            points.append({**reached, **found})
            _free()
    finally:
        if folder.exists():
            write_json(spent, before + time.time() - start)
    points = [dict(label=label, **point) for label, point in zip(unit.labels, points)]
    return dict(row=unit.row, clip=unit.clip, seed=unit.seed, points=points, total_seconds=before + time.time() - start)


def rehearse(unit: Unit, folder: Path, device: str, wait: bool = True) -> None:
    """Train an iteration, paint a few frames, and find the clothes whose colors are to be measured: what is wrong with a row or its
    clips shows within seconds.

    Args:
        unit: of which row and clips.
        folder: of the run; removed at the end.
        device: ``'cuda'`` or ``'cpu'``.
        wait: as for :func:`run_unit`.

    Raises:
        Whatever building, training or testing raises.
    """
    unit = replace(unit, timed=False, points=unit.points and [int(unit.points[-1] > 0)])
    cfg, checkpoint = config_of(unit), None
    try:
        if not unit.untrained:
            shutil.rmtree(folder, ignore_errors=True)
            checkpoint = _train(unit, cfg, folder, wait)[-1]['path']
        evaluation = Evaluation(cfg, checkpoint, max_frames=unit.max_frames, device=device)
        model, parts = evaluation.models['model'], ClipParts(evaluation.dataset, evaluation.indices[0], REHEARSAL_FRAMES)
        with torch.no_grad():
            for _ in model.test_stream(iter(parts)):
                pass
        if unit.color_control is not None and _color_painter(model, _colorizer(cfg)) is not None:
            for _ in _recolorable(evaluation.dataset, _colorizer(cfg), **unit.color_control):
                pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _free()


def _train(unit: Unit, cfg: Config, folder: Path, wait: bool = True) -> list[dict]:
    """Train to the last point: for each point its iteration, seconds, memory, networks of losses and checkpoint."""
    resumed = latest_checkpoint(folder)
    _meet_needs(unit, cfg, folder.parents[2] / 'needs' / str(unit.seed), resumed, wait)
    if folder.exists() and not resumed:
        shutil.rmtree(folder)
    runner = build_runner(cfg, folder, resume=resumed is not None, amp=unit.amp, fast=unit.fast)
    runner.train()
    hook = next(hook for hook in runner.hooks if isinstance(hook, BudgetHook))
    if len(hook.reached) < len(unit.points):
        raise InputError(f'{unit.row} on {unit.clip}: the run ended at iteration {runner.iter}, before the end of its budget')
    common = dict(memory=hook.memory, loss_networks=_loss_networks(bare(runner.model)))
    reached = [dict(point, path=str(point_file(folder, number)), **common) for number, point in enumerate(hook.reached)]
    del runner, hook
    _free()
    return reached


def _loss_networks(model: torch.nn.Module) -> dict[str, str]:
    """Name of each loss that looks through a network -> that network. Some take one whose weights they find, or do without."""
    losses = {name: module for name, module in model.named_modules() if isinstance(module, FrozenNetworkLoss)}
    return {name: getattr(loss, 'backbone_name', None) or ', '.join(type(network).__name__ for network in loss._frozen)
            for name, loss in losses.items()}


def _meet_needs(unit: Unit, cfg: Config, folder: Path, resumed: Path | None = None, wait: bool = True) -> None:
    """Train what the config builds on with the seed of the unit, once for all units of this seed, into ``folder``. What is trained
    otherwise, from an edited config, or on other clips has another folder in it. A run that is there, and that the config itself does
    not name, is one of the user, and is taken as it is. A run that goes on from the checkpoint ``resumed`` keeps its stand-ins."""
    needs = (cfg.get('needs') or {}).values()
    needs = [need for need in needs if need and {'part', 'config'} <= need.keys()]  # meet_needs says what is wrong with others
    plain = read_plain(cfg.filename)[1] if needs else {}

    def place(config: Path) -> Path:
        shared = [key for need in needs if Path(need['config']) == config for key in need.get('shared') or ()]
        content, clips = made_from(config, [_at(cfg._cfg_dict, key.split('.')) for key in shared])
        known = json.dumps([content, unit.amp, unit.fast, *clips], sort_keys=True, default=str)
        return folder / hashlib.sha256(known.encode()).hexdigest()[:8]

    def train(made: Config, work_dir: Path) -> None:
        made.randomness = dict(made.get('randomness') or {}, seed=unit.seed)
        _meet_needs(unit, made, folder, latest_checkpoint(work_dir), wait)
        build_runner(made, work_dir, resume=True, amp=unit.amp, fast=unit.fast).train()

    for need in needs:
        config = Path(need['config'])
        *path, last = need['part'].split('.')
        node = _at(cfg._cfg_dict, path)
        if node and isinstance(node.get(last), str) and 'use' not in need and Path(node[last]).name == config.stem:
            if node[last] == _at(plain, [*path, last]) or latest_checkpoint(node[last]) is None:
                node[last] = str(place(config) / config.stem)
    meet_needs(cfg, train, load_config, resumed=resumed, place=place, wait=wait)


def _at(node: Any, path: Sequence[str]) -> Any:
    """What stands in a config at a place; None where there is none."""
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _test(unit: Unit, cfg: Config, checkpoint: str | None, device: str, frames: Path) -> dict[str, Any]:
    """Measure a checkpoint as ``tools/test.py`` does, keep frames for the sheet, and measure its cost."""
    evaluation = Evaluation(cfg, checkpoint, max_frames=unit.max_frames, device=device)
    keeper = _Keeper(evaluation, unit)
    evaluation.run(watch=keeper.watch)
    with result_file(frames, lasting=True) as file:
        np.savez_compressed(file, **{name: np.stack(pictures) for name, pictures in keeper.kept.items()})
    results, model, dataset = evaluation.results(), evaluation.models['model'], evaluation.dataset
    found = dict(metrics=results['metrics'], directions=results.get('directions'), tested=keeper.tested,
                 trained_on=_trained_on(evaluation, cfg, unit) if checkpoint else {})
    del evaluation, keeper  # networks of metrics are no memory of what generates
    _free()
    found['cost'] = _cost(model, dataset, device)
    if unit.color_control is not None:
        found['colors'] = control_of(model, dataset, unit.seed, _colorizer(cfg), **unit.color_control)
    return found


def _trained_on(evaluation: Evaluation, cfg: Config, unit: Unit) -> dict[str, int]:
    """Folder of a clip -> how many of the frames that are tested the weights were trained on, or those that training began with."""
    found = dict(evaluation.trained_on)
    for start in filter(None, [cfg.get('load_from'), *network_files(cfg.get('networks_from'))]):
        with suppress(InputError):  # it was there when training began
            meta = read_checkpoint(start).get('meta') or {}
            for folder, count in trained_frames(meta, evaluation.dataset, evaluation.indices, unit.max_frames).items():
                found[folder] = max(count, found.get(folder, 0))
    return found


def _colorizer(cfg: Config) -> dict | None:
    """What recolors garments in training, as far as its config says it."""
    transforms = (cfg.get('train_dataloader') or {}).get('dataset', {}).get('transforms', [])
    return next((t.get('colorizer') for t in transforms if t['type'] == 'RecolorGarments'), None)


class _Keeper:
    """Keeps some frames of each clip that is measured: ``real/<clip>`` and ``generated/<clip>``; and what it is measured on.

    Args:
        evaluation: whose clips come in its order.
        unit: says how many frames.

    Attributes:
        tested: clip -> number of scored frames, their height and width.
    """

    def __init__(self, evaluation: Evaluation, unit: Unit) -> None:
        self._lengths = (ClipParts(evaluation.dataset, index, unit.max_frames).frames for index in evaluation.indices)
        self._count, self.kept, self.tested = unit.frames, {}, {}

    @contextmanager
    def watch(self) -> Iterator:
        """See :meth:`toolkit.metrics.evaluator.ClipEvaluator.run`."""
        total, position = next(self._lengths), 0
        wanted = spread(total, min(self._count, total))

        def see(samples: dict[str, dict]) -> None:
            nonlocal position
            sample = samples['model']
            count, height, width = sample['real'].shape[:3]
            self.tested.setdefault(sample['clip'], [0, height, width])[0] += int(sample['scored'].sum())
            for t in wanted:
                if position <= t < position + count:
                    for kind in ('real', 'generated'):
                        self.kept.setdefault(f'{kind}/{sample["clip"]}', []).append(sample[kind][t - position])
            position += count

        yield see


def _cost(model: torch.nn.Module, dataset: Any, device: str) -> dict[str, float | None]:
    """What a frame costs: ``parameters`` of the networks that paint it, ``gmacs`` and ``ms`` a frame, and ``memory``, the peak in
    bytes."""
    from torch.nn.modules.module import register_module_forward_pre_hook
    from torch.utils.flop_counter import FlopCounterMode
    parts, called = list(ClipParts(dataset, 0, SPEED_FRAMES)), set()
    count = sum(len(part['frames'][0]) for part in parts)

    def paint() -> float:
        start = time.perf_counter()
        for _ in model.test_stream(iter(parts)):
            pass
        if device.startswith('cuda'):
            torch.cuda.synchronize()
        return time.perf_counter() - start

    with torch.no_grad():
        counter, hook = FlopCounterMode(display=False), register_module_forward_pre_hook(lambda module, args: called.add(id(module)))
        try:
            with counter:
                paint()
        finally:
            hook.remove()
        reset_peak_memory()
        seconds = min(paint() for _ in range(2))
    networks = [network for network in (model.networks().values() if hasattr(model, 'networks') else ())
                if not called.isdisjoint(map(id, network.modules()))]
    return dict(parameters=sum(p.numel() for network in networks for p in network.parameters()),
                gmacs=counter.get_total_flops() / 2e9 / count, ms=1000 * seconds / count, memory=peak_memory())


def control_of(model: torch.nn.Module, dataset: ClipWindows, seed: int, colorizer: dict | None = None, clips: int = CONTROL_CLIPS,
               frames: int = CONTROL_FRAMES) -> dict[str, float]:
    """What color codes, or recolored references, do to the pictures, see :mod:`toolkit.analysis.clip_control`.

    Args:
        model: nothing is measured of one without color codes and without references.
        dataset: of whole clips.
        seed: of the outfits.
        colorizer: ``COLORIZERS`` config.
        clips: so many, spread over the data set.
        frames: of each, from its middle.

    Returns:
        ``<probe>/<garment>`` -> value, see :data:`toolkit.metrics.latent_report.PROBES`.
    """
    painter = _color_painter(model, colorizer)
    if painter is None:
        return {}
    columns = measure_control(painter, list(_recolorable(dataset, colorizer, clips, frames)), 'model', seed=seed)
    return {f'{name}/{column.region}': float(value)
            for column in columns for name, value in column.values.items() if np.isfinite(value)}


def _color_painter(model: torch.nn.Module, colorizer: dict | None) -> ModelPainter | RecoloringPainter | None:
    """What paints people in other colors; None for a model that cannot."""
    if getattr(model, 'codes', None) is not None:
        return ModelPainter(model)
    return RecoloringPainter(model, colorizer) if 'reference_frames' in model.paints_from else None


def _recolorable(dataset: ClipWindows, colorizer: dict | None, clips: int = CONTROL_CLIPS,
                 frames: int = CONTROL_FRAMES) -> Iterator[RecolorableClip]:
    """The clips that :func:`control_of` measures, with their garments found."""
    for index in pick_clips(len(dataset), min(clips, len(dataset))):
        yield RecolorableClip.read(dataset, index, frames, colorizer)


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
