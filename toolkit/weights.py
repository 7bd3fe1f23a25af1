"""Finding checkpoints, reading them safely, loading them strictly, and writing weights with what belongs to them."""

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.doors import check_nested, check_zip, is_zip, open_regular, parsing, shortened
from toolkit.files import write_file
from toolkit.packaged import CONFIGS, find_packaged
from toolkit.structures import InputError, MissingWeightsError

SHOWN = 5
POINTER = 'last_checkpoint'
"""File in a work dir that holds the name of the checkpoint written last."""
PACKED_LENGTH = 1024
LONGEST_CONFIG = 1 << 20
PATH_LENGTH = 4096
EXTRA_STATE = '_extra_state'
"""Key under which PyTorch keeps what :func:`pack_config` made, behind the name of its network."""
META = 'human_video_toolkit'
"""Key of the metadata of safetensors under which our ``meta`` stands as JSON."""
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""What weights may be stored as."""


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The checkpoint a folder's pointer names, else the one with the highest iteration, else the best one, else None."""
    work_dir = Path(work_dir)
    try:
        with open_regular(work_dir / POINTER) as file:
            named = work_dir / Path(file.read(PATH_LENGTH).decode().strip()).name
        if named.is_file():
            return named
    except (OSError, ValueError):  # no pointer, or one that is not ours: the numbers tell
        pass
    numbered = [(int(p.stem[5:]), p) for p in work_dir.glob('iter_*.pth') if p.stem[5:].isascii() and p.stem[5:].isdecimal()]
    return max(numbered)[1] if numbered else best_checkpoint(work_dir)


def best_checkpoint(work_dir: str | Path) -> Path | None:
    """The checkpoint that validation kept as the best one, the newest of several; None where there is none."""
    kept = [(p.stem.rpartition('_')[2], p) for p in Path(work_dir).glob('best_*_iter_*.pth')]
    kept = [(int(number), p) for number, p in kept if number.isascii() and number.isdecimal()]
    return max(kept)[1] if kept else None


def checkpoint_file(path: str | Path) -> Path:
    """A file as it is; of a work dir its best checkpoint where validation kept one, else the latest; for ``hvt::NAME`` that of the
    toolkit.

    Raises:
        InputError: a folder without one.
    """
    path = find_packaged(path)
    found = best_checkpoint(path) or latest_checkpoint(path) if path.is_dir() else path
    if found is None:
        raise InputError(f'{path} holds no checkpoint; name a file, or the work dir of a run of tools/train.py')
    return found


def trained_checkpoint(path: str | Path, what: str, config: str) -> Path:
    """The checkpoint of a run that another run builds on.

    Args:
        path: checkpoint, or the work dir of the run, whose latest checkpoint is taken.
        what: what is looked for, for the message.
        config: that makes it, for the message, if no config in ``configs`` or of the toolkit has the name of the work dir.

    Raises:
        MissingWeightsError: there is none; the message says which command makes it.
    """
    path = Path(path)
    if path.is_file():
        return path
    if found := latest_checkpoint(path):
        return found
    where = f'no checkpoint in {path}' if path.is_dir() else f'{path} does not exist'
    work_dir = path.parent if path.suffix in ('.pth', '.safetensors') else path
    for folder in (CONFIGS, Path('configs')):
        config = next((p.relative_to(folder.parent) for p in sorted(folder.rglob(f'{work_dir.name}.py'))), config)
    raise MissingWeightsError(f'{what}: {where}. Train it first: python tools/train.py {config} --work-dir {work_dir}')


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU without running any code it may hold.

    Args:
        path: a file of ``torch.save``, or ``.safetensors``; or a work dir, see :func:`checkpoint_file`.

    Returns:
        The checkpoint; a bare dict of weights is returned as ``dict(state_dict=...)``.

    Raises:
        InputError: missing, empty, truncated, no checkpoint, or holding more than plain data.
    """
    path = checkpoint_file(path)
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob(f'*{path.suffix or ".pth"}')) if path.parent.is_dir() else []
        raise InputError(f'checkpoint {path} does not exist' + (f'; its folder holds {", ".join(near[:SHOWN])}' if near else ''))
    with open_regular(path) as file:
        start = file.read(4)
    if path.suffix == '.safetensors':
        content = _read_safetensors(path)
    elif start[:2] == b'PK' and not is_zip(path):
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
    if is_zip(path):
        check_zip(path, 'checkpoint', stored=True)
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        if 'weights_only' not in str(error) and 'Unsupported' not in str(error):
            raise InputError(f'checkpoint {path} is damaged ({shortened(error)}). Copy it again, or use an earlier one.') from error
        name = str(error).split('GLOBAL ')[-1].split(' ')[0] if 'GLOBAL ' in str(error) else 'an object'
        raise InputError(
            f'checkpoint {path} is refused: it holds more than plain data ({name}), and loading it could run any code. Only tensors, '
            f'numbers, strings, lists and dicts are read.') from error
    except Exception as error:  # the unpickler may fail in any way on a file of others
        reason = shortened(error) or type(error).__name__
        raise InputError(f'checkpoint {path} is damaged or truncated ({reason}). Copy it again, or use an earlier one.') from error
    check_nested(content, path)
    return content


def _read_safetensors(path: Path) -> dict[str, Any]:
    """Weights; with what is said about them where :func:`write_weights` wrote them."""
    from safetensors import safe_open
    from safetensors.torch import load_file
    with parsing(path, 'checkpoint is damaged or truncated'):
        with safe_open(path, 'pt') as file:
            told = (file.metadata() or {}).get(META)
        state = load_file(path)
        if told is None:
            return state
        meta = json.loads(told)
    check_nested(meta, path)
    if not isinstance(meta, dict):
        raise InputError(f'checkpoint {path} is damaged: what it says about its weights is {meta!r}')
    if 'sha256' in meta and meta['sha256'] != weights_hash(state):
        raise InputError(f'checkpoint {path} is damaged: its weights are not those that were written. Copy it again.')
    return dict(state_dict=state, meta=meta)


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, kinds, shapes and values of weights, in hexadecimal digits; the order does not count."""
    digest = hashlib.sha256()
    for key in sorted(state):
        tensor = state[key].detach().cpu().contiguous()
        digest.update(f'{key} {tensor.dtype} {tuple(tensor.shape)} '.encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def check_weights_name(path: str | Path) -> None:
    """Refuse a name for weights that are to be written.

    Raises:
        InputError: it does not end with ``.safetensors``.
    """
    if Path(path).suffix != '.safetensors':
        raise InputError(f'{path}: expected a name that ends with .safetensors')


def write_weights(path: str | Path, state: Mapping[str, Tensor], meta: Mapping[str, Any], overwrite: bool = True) -> str:
    """Write weights and what belongs to them as safetensors, whole or not at all; :func:`read_checkpoint` reads both.

    Args:
        path: ``.safetensors`` file.
        state: key -> tensor.
        meta: plain data: numbers, texts, lists and dicts.
        overwrite: a file of this name may be replaced.

    Returns:
        The hash, see :func:`weights_hash`. It is in the file, too, as ``sha256``, and is checked when the file is read.

    Raises:
        InputError: another ending, or a file that cannot be written.
    """
    from safetensors.torch import save
    check_weights_name(path)
    state = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in state.items()}
    found = weights_hash(state)
    write_file(path, save(state, {META: json.dumps(dict(meta, sha256=found), sort_keys=True)}), overwrite)
    return found


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
    left = check_state(module, state, source, strict)
    module.load_state_dict(state, strict=strict)
    return left


def check_state(module: nn.Module, state: Mapping[str, Any], source: str | Path, strict: bool = True) -> list[str]:
    """What :func:`load_state` checks, without loading anything."""
    own = module.state_dict()
    if not all(isinstance(key, str) for key in state):
        raise InputError(f'checkpoint {source} is damaged: its weights have names that are not text')
    missing, unknown = [k for k in own if k not in state], [k for k in state if k not in own]
    shapes = [f'{k} is {tuple(_shape(state[k]))} in the file, {tuple(own[k].shape)} in the model' for k in own
              if k in state and isinstance(own[k], Tensor) and isinstance(state[k], Tensor) and tuple(own[k].shape) != _shape(state[k])]
    problems = [(text, keys) for text, keys in (
        ('of another shape', shapes), ('missing in the file', missing if strict else []),
        ('unknown to the model', unknown if strict else []))
        if keys]
    if not shapes:
        problems += [(text, keys) for text, keys in _unusable(own, state).items() if keys]
    if problems or (state and own and len(unknown) == len(state)):
        details = '; '.join(
            f'{len(keys)} {text}: {", ".join(keys[:SHOWN])}{", ..." if len(keys) > SHOWN else ""}' for text, keys in problems)
        raise InputError(f'checkpoint {source} does not fit {type(module).__name__} (another architecture or config?): '
                         f'{details or "no key matches"}')
    return missing + unknown


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return () if tensor.is_nested else tuple(tensor.shape)


def _unusable(own: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is wrong with values -> keys."""
    found: dict[str, list[str]] = {'of another kind': [], 'with values that are not finite (NaN or infinite)': []}
    for key, mine in own.items():
        theirs = state.get(key)
        if key not in state or not isinstance(mine, Tensor):
            continue
        if not isinstance(theirs, Tensor):
            found['of another kind'].append(f'{key} is a {type(theirs).__name__} in the file, not a tensor')
        elif theirs.layout is not torch.strided or theirs.is_quantized or theirs.is_meta or theirs.is_nested:
            found['of another kind'].append(f'{key} is sparse, quantized, nested or without data in the file')
        elif (theirs.dtype not in FLOATS) if mine.is_floating_point() else (theirs.dtype is not mine.dtype):
            found['of another kind'].append(f'{key} is {theirs.dtype} in the file, {mine.dtype} in the model')
        elif theirs.is_floating_point() and not torch.isfinite(theirs).all():
            found['with values that are not finite (NaN or infinite)'].append(key)
    return found


def load_network(registry: Any, path: str | Path, prefix: str, what: str, made_by: str) -> nn.Module:
    """Rebuild a :class:`ConfiguredNetwork` that another run trained from its checkpoint alone.

    Args:
        registry: of the network.
        path: see :func:`read_checkpoint`.
        prefix: where the network is in it, for example ``'net_e.'``.
        what, made_by: what is looked for, and the config that makes it, for the message.

    Returns:
        The network, on the CPU, in eval mode and frozen.

    Raises:
        InputError: unreadable file, no such network in it, or weights that do not fit.
    """
    state = _under(prefix, read_checkpoint(path)['state_dict'])
    config = unpack_config(state[EXTRA_STATE]) if EXTRA_STATE in state else {}
    if str(config.get('type')) not in registry:
        raise InputError(f'{path} holds no {what} under {prefix!r}; it must be a checkpoint of {made_by}')
    network = registry.build(config)
    load_state(network, state, path)
    return network.requires_grad_(False).eval()


def _under(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
    return {key[len(prefix):]: value for key, value in state.items() if key.startswith(prefix)}


def pack_config(config: dict) -> Tensor:
    """A config as a tensor, so that whatever takes a state dict of tensors takes it: JSON in UTF-8, filled up with zeros, uint8.

    As the extra state of a network it lets the network be rebuilt from a checkpoint alone.
    """
    text = json.dumps(config).encode()
    return torch.tensor(list(text.ljust(-(-len(text) // PACKED_LENGTH) * PACKED_LENGTH, b'\0')), dtype=torch.uint8)


def unpack_config(packed: Tensor) -> dict:
    """The reverse of :func:`pack_config`.

    Raises:
        InputError: something else.
    """
    with parsing('a config beside weights', 'not a packed config of a network'):
        if packed.numel() > LONGEST_CONFIG:
            raise ValueError(f'{packed.numel()} bytes')
        config = json.loads(bytes(packed.cpu().tolist()).rstrip(b'\0'))
    if not isinstance(config, dict):
        raise InputError(f'not a packed config of a network: {config!r}')
    return config


def as_read(value: Any) -> Any:
    """A value of a config as it comes back from a file, where tuples have become lists: what is to be compared."""
    if isinstance(value, Mapping):
        return {key: as_read(item) for key, item in value.items()}
    return [as_read(item) for item in value] if isinstance(value, (list, tuple)) else value


def use_packed_configs(config: dict, state_dict: Mapping[str, Any]) -> None:
    """Let a model's config build the networks that were taken from files of other runs as its own checkpoint says. In place.

    Wherever the config names such a file, and the checkpoint holds a network with a packed config at the same place (the option
    ``color_codes.up`` and the weights ``color_codes.up.*``), that config takes the place of the file, which is not needed then.

    Args:
        config: of the model.
        state_dict: of the whole model.
    """
    for key in (key for key in state_dict if str(key).endswith(f'.{EXTRA_STATE}')):
        *place, name = key.split('.')[:-1]
        node: Any = config
        for part in place:
            node = node.get(part) if isinstance(node, Mapping) else None
        if isinstance(node, Mapping) and isinstance(node.get(name), (str, Path)):
            node[name] = unpack_config(state_dict[key])


class ConfiguredNetwork(nn.Module):
    """A network whose extra state is its :attr:`config`: it can be rebuilt from a checkpoint alone, and weights of one that works
    otherwise are refused.

    Attributes:
        config: ``type`` and arguments, plain data; a subclass sets it in its constructor.
        described_as: what to call the network in the error.
    """

    described_as = 'network'

    def get_extra_state(self) -> Tensor:
        """The config to rebuild it from, packed."""
        return pack_config(self.config)

    def set_extra_state(self, state: Tensor) -> None:
        """Check that the weights belong to a network that works like this one.

        Raises:
            InputError: names what differs.
        """
        for key, theirs, mine in _differences(unpack_config(state), self.config):
            raise InputError(f'the weights are of a {self.described_as} with {key}={theirs!r}, this one has {mine!r}')


def _differences(theirs: Mapping, mine: Mapping, where: str = '') -> Iterator[tuple[str, Any, Any]]:
    for key, value in mine.items():
        if isinstance(theirs.get(key), Mapping) and isinstance(value, Mapping):
            yield from _differences(theirs[key], value, f'{where}{key}.')
        elif as_read(theirs.get(key)) != as_read(value):
            yield where + key, theirs.get(key), value
