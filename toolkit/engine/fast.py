"""What makes training fast on the machine at hand, chosen by one switch. Each piece is a key of the config, too."""

import importlib.util
import platform

import torch

from toolkit.engine.optim import model_takes, optimizers, use_amp
from toolkit.models.base import VideoModel
from toolkit.registry import MODELS

FUSED = ('Adam', 'AdamW', 'SGD')


def use_fast(cfg: dict) -> str:
    """Switch on, in place, what is fast and safe on this machine; what the config says itself stays.

    Args:
        cfg: a whole config.

    Returns:
        One line that names what was chosen.
    """
    gpu, model, chosen = torch.cuda.is_available(), cfg['model'], []

    def choose(place: dict, option: str, value: object, text: str) -> None:
        if place.setdefault(option, value) == value:
            chosen.append(text)

    if halves():
        if all(entry.get('type', 'OptimWrapper') == 'OptimWrapper' for entry in optimizers(cfg)):
            use_amp(cfg)
            chosen.append('bfloat16')
        if model_takes(cfg, 'channels_last'):
            choose(model, 'channels_last', True, 'channels_last')
    fused = [entry['optimizer'] for entry in optimizers(cfg) if (entry.get('optimizer') or {}).get('type') in FUSED]
    if fused and all(optimizer.setdefault('fused', True) is True for optimizer in fused):
        chosen.append('fused optimizers')
    if model_takes(cfg, 'share_scores'):
        choose(model, 'share_scores', True, 'shared scores')
    environment = cfg.setdefault('env_cfg', {})
    if gpu:
        choose(environment, 'cudnn_benchmark', True, 'cudnn_benchmark')
        if importlib.util.find_spec('triton') and model_takes(cfg, 'compile_networks'):
            choose(model, 'compile_networks', True, 'compiled networks')
        kind = MODELS.get(model['type']) if isinstance(model.get('type'), str) else None
        if isinstance(kind, type) and issubclass(kind, VideoModel) and kind.recordable and cfg.get('launcher', 'none') == 'none':
            choose(model, 'cuda_graph', True, 'CUDA graph')
    elif platform.system() == 'Linux':
        choose(environment, 'keep_memory', True, 'keep_memory')
    where = torch.cuda.get_device_name() if gpu else f'CPU, {torch.get_num_threads()} threads'
    return f'--fast on {where}: {", ".join(chosen) or "nothing that helps here"}'


def halves() -> bool:
    """Whether bfloat16 is faster than float32 on this machine, and not only known."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(getattr(torch.cpu, f'_is_{name}_supported', lambda: False)() for name in ('avx512_bf16', 'amx_tile'))
