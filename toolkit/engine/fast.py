"""What makes training fast on the machine at hand, chosen by one switch. Each piece is a key of the config, too."""

import platform

import torch

from toolkit.engine.optim import DTYPES, model_takes, optimizers, takes_fused, use_amp
from toolkit.engine.processes import cores_of_process
from toolkit.engine.workers import fitting_workers, keeps_decoded, memory_is_shared
from toolkit.machine import machine
from toolkit.models.base import VideoModel
from toolkit.registry import MODELS

OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'timeout')


def slow_half(cfg: dict) -> str:
    """What to say of a config whose training asks for a bfloat16 that this machine has not; empty where it does not.

    Args:
        cfg: a whole config.
    """
    here = machine()
    asked = [f'optim_wrapper.{name}' for name, entry in cfg['optim_wrapper'].items()
             if isinstance(entry, dict) and DTYPES.get(entry.get('dtype')) is torch.bfloat16]
    asked += [f'model.{key}' for key in ('loss_dtype', 'inference_dtype') if DTYPES.get(cfg['model'].get(key)) is torch.bfloat16]
    if here.half or not asked:
        return ''
    return (f'{", ".join(asked)}: bfloat16, which this machine ({here.name}) has not: steps take several times as long as in float32, '
            'here and there ten times. Leave it out, or give --fast instead of --amp, which takes bfloat16 only where it is faster')


def use_fast(cfg: dict) -> str:
    """Switch on, in place, what is fast and safe on this machine; what the config says itself stays.

    Args:
        cfg: a whole config.

    Returns:
        One line that names what was chosen.
    """
    here, model, chosen = machine(), cfg['model'], []

    def choose(place: dict, option: str, value: object, text: str) -> None:
        if place.setdefault(option, value) == value:
            chosen.append(text)

    if here.half:
        if all(entry.get('type', 'OptimWrapper') == 'OptimWrapper' for entry in optimizers(cfg)):
            use_amp(cfg)
            chosen.append('bfloat16')
        if model_takes(cfg, 'channels_last'):
            choose(model, 'channels_last', True, 'channels_last')
    fused = [entry['optimizer'] for entry in optimizers(cfg) if takes_fused(entry.get('optimizer') or {})]
    if fused and all(optimizer.setdefault('fused', True) is True for optimizer in fused):
        chosen.append('fused optimizers')
    if model_takes(cfg, 'share_scores'):
        choose(model, 'share_scores', True, 'shared scores')
    environment = cfg.setdefault('env_cfg', {})
    if here.graphs:
        choose(environment, 'cudnn_benchmark', True, 'cudnn_benchmark')
        if here.compiles and model_takes(cfg, 'compile_networks'):
            choose(model, 'compile_networks', True, 'compiled networks')
        kind = MODELS.get(model['type']) if isinstance(model.get('type'), str) else None
        if isinstance(kind, type) and issubclass(kind, VideoModel) and kind.recordable and cfg.get('launcher', 'none') == 'none':
            choose(model, 'cuda_graph', True, 'CUDA graph')
    elif platform.system() == 'Linux':
        choose(environment, 'keep_memory', True, 'keep_memory')
    loader = cfg.get('train_dataloader')
    if loader and loader.get('num_workers') is None:
        cores, decoded = cores_of_process(cfg.get('launcher', 'none')), keeps_decoded(loader.get('dataset'))
        workers = fitting_workers(cores, here.graphs, decoded, memory_is_shared(environment))
        loader['num_workers'] = workers = max(workers, any(loader.get(option) for option in OF_WORKERS))
        chosen.append(f'{workers} loading processes' if workers > 1 else ('no', 'one')[workers] + ' loading process')
    threads = '' if here.graphs else f', {torch.get_num_threads()} threads'
    return f'--fast on {here.name}{threads}: {", ".join(chosen) or "nothing that helps here"}'
