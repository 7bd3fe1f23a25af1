"""Writing checkpoints: whole or not at all, and never one of a model that has diverged."""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.files import replacing
from toolkit.structures import InputError
from toolkit.weights import latest_checkpoint

FULL = ('inline_container', 'PytorchStreamWriter')
"""Words of torch's RuntimeError when a file could not be written to its end."""


class SaveError(InputError):
    """A checkpoint could not be written, or must not be; the earlier ones are intact."""


class Diverged(SaveError):
    """Something in training is not finite any more."""


def write_atomically(path: Path, content: dict | str) -> None:
    """Write a file so that its name always holds either the old or the complete new content, even after a power cut.

    Args:
        path: target.
        content: text, or a dict for ``torch.save``.

    Raises:
        SaveError: the disk is full or the folder cannot be written; nothing of the new file is left.
    """
    try:
        with replacing(path, lasting=True) as file:
            file.write(content.encode()) if isinstance(content, str) else torch.save(content, file)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(word in str(error) for word in FULL):
            raise
        raise SaveError(f'cannot write {path}: {_why_not_written(path, content, error)}; free space or choose another work_dir. '
                        f'Earlier checkpoints are intact') from error


def _why_not_written(path: Path, content: dict | str, error: Exception) -> str:
    reason = getattr(error, 'strerror', None) or 'the file could not be written to its end, the disk is full'
    need = len(content) if isinstance(content, str) else sum(t.numel() * t.element_size() for t in tensors(content))
    with suppress(OSError):
        return f'{reason} (about {need / 1e6:,.1f} MB are needed, {shutil.disk_usage(path.parent).free / 1e6:,.1f} MB are free)'
    return reason


def tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested dicts, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)


def check_finite(state: dict[str, Any], parameters: Collection[str], work_dir: str | Path) -> None:
    """Refuse to save a model that has diverged, so that a checkpoint that is finite stays the last one.

    Args:
        state: of :func:`toolkit.engine.checkpoint.training_state`.
        parameters: keys of its ``state_dict`` that are parameters and must be finite; other tensors, and those of the optimizers, must
            not be NaN.
        work_dir: see :func:`diverged`.

    Raises:
        Diverged: names what is not finite.
    """
    bad = [key for key, value in state['state_dict'].items() if isinstance(value, Tensor) and value.is_floating_point() and (
        not value.isfinite().all() if key in parameters else value.isnan().any())]
    bad += [f'the state of optimizer {name!r}' for name, own in state['optimizer'].items()
            if any(tensor.is_floating_point() and tensor.isnan().any() for tensor in tensors(own))]
    if bad:
        more = f' (and {len(bad) - 1} more)' if len(bad) > 1 else ''
        raise diverged(f'{bad[0]}{more} is not finite', state['meta']['iter'], work_dir)


def diverged(what: str, iteration: int, work_dir: str | Path) -> Diverged:
    """The error for a run that has diverged.

    Args:
        what: is not finite, in words.
        iteration: where that was seen.
        work_dir: of the run; its last checkpoint is named. Every one in it was finite when it was written.
    """
    last = latest_checkpoint(work_dir)
    kept = f'The last checkpoint, {last}, is finite' if last else 'No checkpoint was written before'
    return Diverged(f'{what}, seen at iteration {iteration}: training has diverged. {kept}. Lower the learning rate, add clip_grad, or '
                    f'use bfloat16 instead of float16; with --on-nan rollback a run goes back by itself and halves its rates')
