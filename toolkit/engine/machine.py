"""What decides how sums are rounded: with another of these a run is the same only nearly."""

import platform
from pathlib import Path

import torch

CPU_INFO = Path('/proc/cpuinfo')


def machine() -> dict[str, str]:
    """Version of torch, kind of CPU with the instructions that torch uses on it, and the GPU ('none' without)."""
    try:
        names = [line.partition(':')[2].strip() for line in CPU_INFO.read_text().splitlines() if line.startswith('model name')]
    except OSError:
        names = []
    cpu = names[0] if names else platform.processor() or platform.machine()
    return dict(torch=str(torch.__version__), cpu=f'{cpu}, {torch.backends.cpu.get_cpu_capability()}',
                gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else 'none')


def other_machine(was: dict[str, str]) -> str:
    """How a machine differs from this one, in words; nothing where it does not.

    Args:
        was: of :func:`machine`, there.
    """
    return '; '.join(f'the {key} was {was[key]}, here it is {here}' for key, here in machine().items() if was.get(key, here) != here)
