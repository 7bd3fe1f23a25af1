"""Reading weight files safely and loading them strictly."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.structures import InputError

SHOWN = 5


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without running any code it may hold.

    Args:
        path: a file of ``torch.save``, or ``.safetensors``.

    Returns:
        The checkpoint; a bare dict of weights is returned as ``dict(state_dict=...)``.

    Raises:
        InputError: missing, empty, truncated, no checkpoint, or holding more than plain data.
    """
    path = Path(path)
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob(f'*{path.suffix or ".pth"}')) if path.parent.is_dir() else []
        raise InputError(f'checkpoint {path} does not exist' + (f'; its folder holds {", ".join(near[:SHOWN])}' if near else ''))
    with path.open('rb') as file:
        start = file.read(4)
    if path.suffix == '.safetensors':
        content = _read_safetensors(path)
    elif start[:2] == b'PK' and not zipfile.is_zipfile(path):
        raise InputError(f'checkpoint {path} is truncated ({path.stat().st_size:,} bytes): its end is missing. Copy it again, or use '
                         f'an earlier one.')
    elif start[:2] != b'PK' and start[:1] != b'\x80':
        raise InputError(f'{path} is not a checkpoint: neither a torch file nor safetensors')
    else:
        content = _read_torch(path)
    if isinstance(content, Mapping) and isinstance(content.get('state_dict'), Mapping):
        return dict(content)
    if isinstance(content, Mapping) and content and all(isinstance(v, Tensor) for v in content.values()):
        return dict(state_dict=dict(content))
    found = f'a dict with {", ".join(map(str, list(content)[:SHOWN]))}' if isinstance(content, Mapping) else type(content).__name__
    raise InputError(f'{path} is not a checkpoint: expected a dict with a "state_dict", or a dict of tensors, found '
                     f'{found or "nothing"}')


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if 'weights_only' not in str(error) and 'Unsupported' not in str(error):
            raise InputError(f'checkpoint {path} is damaged ({error}). Copy it again, or use an earlier one.') from error
        name = str(error).split('GLOBAL ')[-1].split(' ')[0] if 'GLOBAL ' in str(error) else 'an object'
        raise InputError(
            f'checkpoint {path} is refused: it holds more than plain data ({name}), and loading it could run any code. Only tensors, '
            f'numbers, strings, lists and dicts are read.') from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f'checkpoint {path} is damaged or truncated ({reason}). Copy it again, or use an earlier one.') from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f'checkpoint {path} is damaged or truncated ({error})') from error


def load_state(module: nn.Module, state: Mapping[str, Any], source: str | Path, strict: bool = True) -> list[str]:
    """Load a state dict, all of it or nothing.

    Args:
        module: to load into.
        state: key -> tensor (or extra state).
        source: file named in errors.
        strict: refuse missing and unknown keys; shapes must always fit.

    Returns:
        Keys that did not match (always empty when strict).

    Raises:
        InputError: names the file and the first mismatched keys with both shapes.
    """
    own = module.state_dict()
    missing, unknown = [k for k in own if k not in state], [k for k in state if k not in own]
    shapes = [f'{k} is {tuple(state[k].shape)} in the file, {tuple(own[k].shape)} in the model' for k in own
              if k in state and isinstance(own[k], Tensor) and isinstance(state[k], Tensor) and own[k].shape != state[k].shape]
    problems = [(text, keys) for text, keys in (
        ('of another shape', shapes), ('missing in the file', missing if strict else []),
        ('unknown to the model', unknown if strict else []))
        if keys]
    if problems or (state and own and len(unknown) == len(state)):
        details = '; '.join(
            f'{len(keys)} {text}: {", ".join(keys[:SHOWN])}{", ..." if len(keys) > SHOWN else ""}' for text, keys in problems)
        raise InputError(f'checkpoint {source} does not fit {type(module).__name__} (another architecture or config?): '
                         f'{details or "no key matches"}')
    module.load_state_dict(state, strict=strict)
    return missing + unknown


def load_weights(module: nn.Module, path: str | Path, prefix: str = '', strict: bool = True) -> dict[str, Any]:
    """Load weights from a file into a module.

    Args:
        module: to load into.
        path: see :func:`read_checkpoint`.
        prefix: take only the keys that begin so, without it; ``'net_e.'`` takes one network out of a training checkpoint.
        strict: see :func:`load_state`.

    Returns:
        The checkpoint's ``meta``, empty for files without one.

    Raises:
        InputError: see :func:`read_checkpoint` and :func:`load_state`; no key has the prefix.
    """
    checkpoint = read_checkpoint(path)
    state = {k[len(prefix):]: v for k, v in checkpoint['state_dict'].items() if k.startswith(prefix)}
    if not state:
        networks = sorted({k.split('.')[0] for k in checkpoint['state_dict']})
        raise InputError(f'checkpoint {path} has no weights that begin with {prefix!r}; it holds {", ".join(networks) or "nothing"}')
    load_state(module, state, path, strict)
    return checkpoint.get('meta', {})
