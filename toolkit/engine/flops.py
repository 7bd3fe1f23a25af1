"""Counting the work of a model's networks on the inputs that its own train_step gives them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from toolkit.clips.size import smaller_size
from toolkit.engine.optim import NetworkOptimizers
from toolkit.engine.trained_on import data_sets
from toolkit.models.base import VideoModel
from toolkit.registry import DATASETS
from toolkit.signatures import part_parameters


@dataclass
class NetworkCost:
    """Cost of one network.

    Attributes:
        name: of the child of the model.
        kind: its class.
        parameters: number of values.
        macs: multiply-accumulates of its first call in a training step, or None where the step does not call it.
        calls: calls in a training step.
    """
    name: str
    kind: str
    parameters: int
    macs: int | None
    calls: int


def config_size(cfg: Config) -> tuple[int, int]:
    """Picture size (H, W) a config trains at, the largest of several; where that depends on the clips, as with clips of 384 x 256."""
    for transform in _dataset(cfg).get('transforms') or ():
        if isinstance(transform.get('size'), (list, tuple)):
            return tuple(transform['size'])
    return max(map(_size, data_sets(cfg)), key=math.prod)


def config_window(cfg: Config) -> int:
    """Frames of the windows that a config trains on: what it says, or else its data set by default; two where neither does."""
    said = [options.get('window') or _default_window(options.get('type')) for options in (_dataset(cfg), *data_sets(cfg))]
    return next(filter(None, said), 2)


def _default_window(kind: str | None) -> int | None:
    part = DATASETS.get(kind) if isinstance(kind, str) else None
    _, window = (part_parameters(part) or {}).get('window', (None, None)) if part else (None, None)
    return window if isinstance(window, int) else None


def _dataset(cfg: Config) -> Mapping[str, Any]:
    return (cfg.get('train_dataloader') or {}).get('dataset') or {}


def _size(dataset: Mapping[str, Any]) -> tuple[int, int]:
    """Of the frames of one of :func:`toolkit.engine.trained_on.data_sets`."""
    synthetic, pixels, size = dataset.get('synthetic') or {}, dataset.get('pixels'), dataset['size']
    height, width = size if isinstance(size, (list, tuple)) else (synthetic.get('height', 384), synthetic.get('width', 256))
    return smaller_size(height, width, pixels, dataset.get('multiple', 16)) if pixels else (height, width)


def count_flops(model: VideoModel, optim_wrapper: dict | None, height: int, width: int, window: int | None = None) -> list[NetworkCost]:
    """Run the forward passes of one training step on a made-up sample and count.

    Args:
        model: built, on the CPU.
        optim_wrapper: config of the optimizers; None for a model that is not trained, whose networks are then not run.
        height, width: picture size.
        window: frames of the sample; by default those that the model says, or two.

    Returns:
        One row for each network.
    """
    from fvcore.nn import FlopCountAnalysis
    calls: dict[str, list[tuple]] = {name: [] for name in model.networks()}

    def record(name: str):
        def hook(module: nn.Module, args: tuple) -> None:
            calls[name].append(args if not calls[name] else ())
        return hook

    handles = [network.register_forward_pre_hook(record(name)) for name, network in model.networks().items()]
    if optim_wrapper:
        entries = {name: entry for name, entry in optim_wrapper.items() if isinstance(entry, dict)}
        optimizers = NetworkOptimizers(entries)(model)
        model.step = model.update_ema = lambda *args, **kwargs: None
        try:
            with torch.no_grad():
                model.train_step(model.example_batch(height, width, window or getattr(model, 'window', 2)), optimizers)
        finally:
            del model.step, model.update_ema
    for handle in handles:
        handle.remove()
    rows = []
    for name, network in model.networks().items():
        macs = None
        if calls[name]:
            inputs = tuple(a.detach() if isinstance(a, torch.Tensor) else a for a in calls[name][0])
            with torch.no_grad():
                analysis = FlopCountAnalysis(network.eval(), inputs).unsupported_ops_warnings(False)
                macs = int(analysis.uncalled_modules_warnings(False).total())
        rows.append(NetworkCost(name, type(network).__name__, sum(p.numel() for p in network.parameters()), macs, len(calls[name])))
    return rows

