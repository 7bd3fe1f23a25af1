"""Read a checkpoint of another code, place its weights, write a file of ours."""

import importlib
from pathlib import Path
from typing import Any

import torch

from toolkit.conversion.layout import Converted, place, unknown_network
from toolkit.files import check_output, source_hash
from toolkit.network_files import read_state, write_network
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.registry import PART_REGISTRIES, did_you_mean
from toolkit.signatures import part_parameters
from toolkit.structures import InputError
from toolkit.weights import check_state, check_weights_name

CODES = ('pix2pixhd', 'cyclegan', 'bicyclegan', 'everybody_dance_now', 'vid2vid')
"""Codes whose networks are trained here; each has a file."""
READERS = dict(
    openpose=('POSE_ESTIMATORS', 'OpenPose', 'toolkit.poses.openpose'), rcf=('EDGE_DETECTORS', 'RCF', 'toolkit.edges.rcf'),
    colorization=('COLORIZERS', 'SIGGRAPH17', 'toolkit.colors.siggraph17'))
"""Parts that read published files themselves, by ``published(path, **options)``: config, state dict, keys without a place -> why."""


def convert(code: str, path: str | Path, **options: Any) -> Converted:
    """Read a network of another code; no code in the file is run.

    Args:
        code: one of :data:`CODES` and :data:`READERS`.
        path: its checkpoint.
        options: what shapes do not say, see ``layout`` of the code.

    Returns:
        The network, with its config and weights.

    Raises:
        InputError: unreadable or unsafe file, one of another architecture, or an option that the code does not have.
    """
    if code not in (*CODES, *READERS):
        known = [*CODES, *READERS]
        raise InputError(f'no code is called {code!r}.{did_you_mean(code, known)} Known: {", ".join(known)}')
    reads = importlib.import_module(READERS[code][2]).published if code in READERS else None
    module = None if reads else importlib.import_module(f'toolkit.conversion.{code}')
    options = {key: value for key, value in options.items() if value is not None}
    known = sorted(set(part_parameters(reads or module.layout)) - {'state', 'source', 'path'})
    if unknown := sorted(set(options) - set(known)):
        raise InputError(f'{", ".join(unknown)}: {code} has {"the option " + ", ".join(known) if known else "no options"}')
    if reads:
        part, kind, _ = READERS[code]
        config, state, left = reads(Path(path), **options)
        return Converted(part, dict(config, type=kind), state, left)
    state = read_state(path)
    try:
        layout = module.layout(state, str(path), **options)
    except InputError:
        raise
    except (IndexError, KeyError, RuntimeError, ValueError) as error:  # RuntimeError: a nested tensor has no shape
        raise unknown_network(state, str(path), module.CODE, 'a layer is missing, misshapen or numbered too high') from error
    return place(state, layout, str(path), module.CODE)


def convert_file(code: str, path: str | Path, out: str | Path, overwrite: bool = False, **options: Any) -> Converted:
    """:func:`convert`, and write what :func:`toolkit.network_files.open_network` reads.

    Args:
        code, path, options: see :func:`convert`.
        out: ``.safetensors`` file to write.
        overwrite: a file of this name may be replaced.

    Returns:
        What was written.

    Raises:
        InputError: see :func:`convert`; or a file that may not be written.
    """
    check_weights_name(out)
    check_output(out)
    refuse_inputs([out], [path])
    refuse_existing([out], overwrite)
    found = convert(code, path, **options)
    _check_values(found, path)
    write_network(out, found.part, found.config, found.state, dict(code=code, file=Path(path).name, sha256=source_hash(path)),
                  overwrite)
    return found


def _check_values(found: Converted, path: str | Path) -> None:
    """Refuse values that no network can work with."""
    registry = PART_REGISTRIES[found.part]
    if 'weights' not in (part_parameters(registry.get(found.config['type'])) or ()):
        with torch.device('meta'):
            check_state(registry.build(found.config), found.state, path)
