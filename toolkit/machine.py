"""What this machine does fast: one answer for training and generation."""

import importlib.util
import math
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from toolkit.structures import InputError

QUOTA = Path('/sys/fs/cgroup/cpu.max')
"""Where Linux says how much time of the processors a container gets: microseconds, and in how many."""


@dataclass(frozen=True)
class Machine:
    """A device and what is worth using on it.

    Attributes:
        name: of the device, for messages.
        half: ``'bfloat16'`` where the device computes in it, None where half precision would only lose digits and time.
        channels_last: whether convolutions are faster in channels-last order.
        graphs: whether a sequence of kernels can be recorded and launched at once (CUDA graphs).
        compiles: whether ``torch.compile`` has what it needs.
        openvino: whether OpenVINO is installed and serves this device.
    """

    name: str
    half: str | None
    channels_last: bool
    graphs: bool
    compiles: bool
    openvino: bool


def chosen_device(wish: str | torch.device | None = None) -> torch.device:
    """The device that somebody asked for.

    Args:
        wish: for example ``'cpu'`` or ``'cuda:0'``; by default the GPU where there is one.

    Raises:
        InputError: no device, or one that this machine does not have; says which it has.
    """
    if wish is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    kind, count = torch.accelerator.current_accelerator(), torch.accelerator.device_count()
    there = ['cpu', *(f'{kind.type}:{index}' for index in range(count))]
    try:
        device = torch.device(wish)
    except RuntimeError:
        device = None
    if device is None or f'{device.type}:{device.index or 0}' not in (*there, 'cpu:0'):
        raise InputError(f'--device {wish}: this machine has no such device; it has {", ".join(there)}')
    return device


def machine(device: str | torch.device | None = None) -> Machine:
    """What a device can do.

    Args:
        device: for example ``'cpu'`` or ``'cuda:0'``; by default the GPU where there is one.
    """
    device = chosen_device() if device is None else torch.device(device)
    compiles = importlib.util.find_spec('triton') is not None if device.type == 'cuda' else bool(shutil.which('g++'))
    if device.type == 'cuda':
        half = torch.cuda.get_device_capability(device) >= (8, 0)
        return Machine(torch.cuda.get_device_name(device), 'bfloat16' if half else None, half, True, compiles, False)
    if device.type != 'cpu':
        return Machine(device.type, None, False, False, False, False)
    units = [name for name, has in (('AMX', torch.cpu._is_amx_tile_supported), ('AVX512-BF16', torch.cpu._is_avx512_bf16_supported))
             if has()]
    name = f'CPU with {units[0]}' if units else 'CPU without bfloat16'
    return Machine(name, 'bfloat16' if units else None, bool(units), False, compiles, importlib.util.find_spec('openvino') is not None)


def cores() -> int:
    """Cores that this process may use: what it is bound to, and no more than its container is given."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no such file, or "max": all of them
        quota, period = map(int, QUOTA.read_text().split())
        count = min(count, math.ceil(quota / period))
    return count


def most_memory() -> int | None:
    """The most memory, in bytes, that this process has had; None where the system does not say it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == 'darwin' else 1024)


def private_memory(processes: Iterable[int]) -> int | None:
    """Bytes of memory that processes, by their numbers, share with nobody; None where the system does not say it."""
    total = 0
    for number in processes:
        try:
            rows = Path(f'/proc/{number}/smaps_rollup').read_text().splitlines()
        except OSError:
            return None
        total += sum(1024 * int(row.split()[1]) for row in rows if row.startswith('Private_'))
    return total


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the CPU on a device; the program goes on while it travels. A tensor that is there already is returned as it is.

    Args:
        values: it.
        device: the device.
    """
    if device.type == 'cuda' and not values.is_cuda:
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
