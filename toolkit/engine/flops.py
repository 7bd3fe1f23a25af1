"""Counting the work of a model's networks on the inputs that its own train_step gives them."""

from dataclasses import dataclass
from typing import Any

import torch
from mmengine.config import Config
from torch import nn

from toolkit.engine.optim import NetworkOptimizers
from toolkit.models.base import VideoModel


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
    """Picture size (H, W) a config trains at, 384 x 256 where it does not say."""
    dataset: dict[str, Any] = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    for options in (*(dataset.get('transforms') or ()), dataset):
        if isinstance(options.get('size'), (list, tuple)):
            return tuple(options['size'])
    synthetic = dataset.get('synthetic') or {}
    return synthetic.get('height', 384), synthetic.get('width', 256)


def count_flops(model: VideoModel, optim_wrapper: dict | None, height: int, width: int) -> list[NetworkCost]:
    """Run the forward passes of one training step on a made-up sample and count.

    Args:
        model: built, on the CPU.
        optim_wrapper: config of the optimizers; None for a model that is not trained, whose networks are then not run.
        height, width: picture size.

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
                model.train_step(model.example_batch(height, width, getattr(model, 'window', 2)), optimizers)
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

