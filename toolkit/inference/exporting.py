"""A generator's network as a file of ONNX, which other runtimes run: ONNX Runtime, OpenVINO, TensorRT.

The file has the network alone. What it is given, F with its warped references and the frame before, is made by the toolkit: the parts
of a person are few and small, so their warp is a list of pixels of another length in each frame, at which such runtimes are slow.
"""

import copy
import importlib.util
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolkit.clips.clip import Clip
from toolkit.clips.size import check_shape
from toolkit.datasets.transforms import scale_pose
from toolkit.engine.checkpoint import AVERAGED
from toolkit.files import check_output, write_file
from toolkit.inference.frozen_norms import freeze_norms
from toolkit.inference.loading import Trained
from toolkit.inference.painting import check_paints_poses, stream
from toolkit.inference.runtimes import EXTRA, Positional, about_network, network_hash, run_file, whose
from toolkit.models.base import VideoModel
from toolkit.outputs import refuse_existing
from toolkit.registry import GENERATORS
from toolkit.structures import InputError, spread

OPSET = 17
NAMES = ('x', 'z', 'regions')
CALIBRATION = 8
"""Frames over which norms are frozen."""
AGREES = 1e-3


def check_export(out: str | Path, overwrite: bool = False) -> None:
    """Refuse what could not be exported, before anything is loaded.

    Raises:
        InputError: not a name of ONNX, a file that is there already, or packages that are missing.
    """
    if Path(out).suffix.lower() != '.onnx':
        raise InputError(f'{out}: a network is exported as .onnx')
    check_output(out)
    refuse_existing([out], overwrite)
    if missing := [name for name in ('onnx', 'onnxruntime') if importlib.util.find_spec(name) is None]:
        raise InputError(f'exporting needs {" and ".join(missing)}: {EXTRA}')


def export_network(trained: Trained, out: str | Path, size: tuple[int, int], frozen_on: Clip | None = None,
                   overwrite: bool = False) -> dict[str, Any]:
    """Write the network that paints, once it is seen to give the same numbers.

    The file says which network it is, of which weights, for which size, and over whose frames its norms are frozen.

    Args:
        trained: on the CPU, in full precision.
        out: file to write, see :func:`check_export`.
        size: (H, W) of the frames; the file is for this size alone.
        frozen_on: a clip of the person over whose frames instance norms are frozen
            (:func:`toolkit.inference.frozen_norms.freeze_norms`), None keeps them.
        overwrite: a file of this name may be replaced.

    Returns:
        ``name`` of the network, ``inputs`` (name -> shape), ``norms`` that are frozen, ``change``, what that does to the pictures of
        those frames on average, in levels of 255, and ``difference``, the largest one between the network and its file, as ONNX
        Runtime runs it, on pictures in [-1, 1].

    Raises:
        InputError: a method that paints with several networks or by no such network, norms that cannot be frozen, or a file that does
            not give the same numbers.
    """
    calls = recorded_calls(trained, size, frozen_on)
    painter, given = calls[0][0], [inputs for _, inputs in calls]
    network = copy.deepcopy(painter).to(memory_format=torch.contiguous_format).eval()
    norms = freeze_norms(network, given) if frozen_on is not None else 0
    there = [x is not None for x in given[0]]
    names = [name for name, present in zip(NAMES, there) if present]
    tensors = tuple(x.contiguous() for x in given[0] if x is not None)
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(Positional(network, there), tensors, file, opset_version=OPSET, input_names=names, output_names=['picture'],
                          dynamo=False)
        chance = torch.Generator().manual_seed(0)  # a made-up frame is flat, and instance norms of flat maps are noise
        tried = given[-1] if frozen_on else [
            x if x is None else torch.rand(x.shape, generator=chance) * 2 - 1 for x in given[-1]]
        wanted = network(*tried)
        change = sum(float((network(*inputs) - painter(*inputs)).abs().mean()) for inputs in given) / len(given)
    name = next(name for name, each in trained.model.networks().items() if each is painter)
    content = _described(file.getvalue(), about_network(
        name.removesuffix(AVERAGED), network_hash(painter), size, '' if frozen_on is None else whose(frozen_on)))
    found = run_file(out, content=content)(*(x for x in tried if x is not None))
    difference = float((found - wanted).abs().max())
    if not difference <= AGREES:
        raise InputError(f'{out} is not written: it would differ from the network by {difference:.2g}, expected {AGREES} at most')
    write_file(out, content, overwrite)
    return dict(name=type(network).__name__, inputs={name: tuple(x.shape) for name, x in zip(names, tensors)}, norms=norms,
                difference=difference, change=127.5 * change)


def _described(content: bytes, about: dict[str, str]) -> bytes:
    """A file of ONNX with entries that say what it is."""
    import onnx
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, about)
    return model.SerializeToString()


def _check_freezes(model: VideoModel, size: tuple[int, int], clip: Clip) -> None:
    """Refuse a clip whose person cannot be painted in its own poses."""
    model.check_generates()
    try:
        check_paints_poses(model, size)
    except InputError as error:
        raise InputError(f'--freeze-norms: {error}: leave --freeze-norms out') from None
    check_shape(clip, size)


def recorded_calls(trained: Trained, size: tuple[int, int], clip: Clip | None = None) -> list[tuple[nn.Module, tuple]]:
    """What the network that paints is called with: of a made-up frame, or of frames of a clip.

    Args:
        trained: on the CPU.
        size: (H, W) of the frames.
        clip: whose person paints its own poses.

    Returns:
        For each call the network and its inputs, tensors or None.

    Raises:
        InputError: several networks paint, or none of the registry of generators; a clip for a model that cannot paint its person, or
            of another shape than the frames.
    """
    model, calls = trained.model, []
    if model.directions:
        raise InputError(f'a {type(model).__name__} has a generator for each of {", ".join(model.directions)}; one can be exported')
    if clip is not None:
        _check_freezes(model, size, clip)
    with watched(model, calls):
        if clip is None:
            list(model.test_stream([model.example_batch(*size, 1)]))
        else:
            frames = spread(len(clip), CALIBRATION)
            poses = scale_pose(clip.poses[frames], size[0] / clip.height, size[1] / clip.width)
            list(stream(trained, clip, poses, size))
    if (count := len({id(network) for network, _ in calls})) != 1:
        raise InputError(f'a {type(model).__name__} paints by {count or "no"} generators of the registry; one can be exported')
    return calls


@contextmanager
def watched(model: VideoModel, calls: list) -> Iterator[None]:
    """Within the context calls of the generators of a model are written down: (network, inputs)."""
    def see(network: nn.Module, given: tuple) -> None:
        calls.append((network, tuple(x if x is None else x.detach().clone() for x in given)))

    kinds = tuple(GENERATORS.module_dict.values())
    hooks = [network.register_forward_pre_hook(see) for network in model.networks().values() if isinstance(network, kinds)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
