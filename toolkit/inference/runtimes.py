"""Runtimes other than torch: a network as they take it, and files of ONNX that they run."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.clips.clip import Clip
from toolkit.clips.same_person import DEFAULT_PERSON, followed_in
from toolkit.doors import shortened
from toolkit.files import fingerprint
from toolkit.structures import InputError
from toolkit.weights import weights_hash

EXTRA = "pip install 'human-video-toolkit[export]'"
AGAIN = 'tools/export.py CHECKPOINT --out FILE --overwrite'
ABOUT = tuple(f'human_video_toolkit_{key}' for key in ('frozen_on', 'network', 'weights', 'size'))
"""What a file says of the network it was made from."""
SIZE = re.compile(r'[1-9]\d{0,4}x[1-9]\d{0,4}', re.ASCII)


class Positional(nn.Module):
    """A network called with those of its inputs alone that are there.

    Args:
        call: the network.
        there: for each of its inputs whether it is given; None stands for the others.
    """

    def __init__(self, call: Callable[..., Tensor], there: Sequence[bool]) -> None:
        super().__init__()
        self.call, self.there = call, there
        self.network = getattr(call, '__self__', None)

    def forward(self, *given: Tensor) -> Tensor:
        """What the network returns."""
        values = iter(given)
        return self.call(*(next(values) if there else None for there in self.there))


@dataclass(frozen=True)
class NetworkFile:
    """A network in a file of :func:`toolkit.inference.exporting.export_network`, ready to run.

    Attributes:
        path: of the file.
        network: its name in :meth:`toolkit.models.base.VideoModel.networks`.
        weights: the :func:`network_hash` of the network that was exported.
        size: (H, W) of the frames, the only one that it paints.
        frozen_on: over whose frames its norms are frozen, see :func:`whose`; '' where they are not.
        run: what computes it, see :func:`run_file`.
    """

    path: Path
    network: str
    weights: str
    size: tuple[int, int]
    frozen_on: str
    run: Callable[..., Tensor]


def is_network_file(way: Any) -> bool:
    """Whether a way to be fast is a file of a network, by its name."""
    return isinstance(way, (str, Path)) and str(way).lower().endswith('.onnx')


def open_network(path: str | Path, device: str | torch.device = 'cpu') -> NetworkFile:
    """Open a file of :func:`toolkit.inference.exporting.export_network`.

    Args:
        path: the file.
        device: of the tensors that it will be given.

    Raises:
        InputError: as :func:`run_file`; a file that does not say which network it is.
    """
    session = _session(path, device)
    said = session.get_modelmeta().custom_metadata_map
    if not said.keys() >= set(ABOUT):
        raise InputError(f'{path} does not say which network it has, of which checkpoint, for which size, and over whose frames its '
                         f'norms are frozen: export it again, {AGAIN}')
    frozen_on, network, weights, size = (said[key] for key in ABOUT)
    if not SIZE.fullmatch(size):
        raise InputError(f'{path} says that it is for frames of the size {shortened(size)!r}, expected HEIGHTxWIDTH: export it again, '
                         f'{AGAIN}')
    return NetworkFile(Path(path), network, weights, tuple(map(int, size.split('x'))), frozen_on, _runner(session, path, device))


def about_network(network: str, weights: str, size: tuple[int, int], frozen_on: str = '') -> dict[str, str]:
    """What a file says of its network, see :class:`NetworkFile`: entries of ONNX's ``metadata_props``."""
    return dict(zip(ABOUT, (frozen_on, network, weights, 'x'.join(map(str, size)))))


def whose(clip: Clip) -> str:
    """What tells whom a clip shows: a hash of the video that it was made of, and of whom it follows there where somebody chose, and the
    person's name where one was given."""
    source = clip.manifest.get('source')
    video = source.get('sha256') if isinstance(source, Mapping) else None
    video, followed = video or fingerprint(clip.manifest), followed_in(clip)
    return f'{fingerprint([video, followed]) if followed else video} {"" if clip.person == DEFAULT_PERSON else clip.person}'


def is_of(frozen_on: str, clip: Clip) -> bool:
    """Whether a clip is known to show the person of another one, which :func:`whose` told: the same name, or, where one has none, the
    same video."""
    (video, _, name), (own_video, _, own_name) = (said.partition(' ') for said in (frozen_on, whose(clip)))
    return name == own_name if name and own_name else video == own_video


def network_hash(network: nn.Module) -> str:
    """:func:`toolkit.weights.weights_hash` of a network, the same on every device and in every order of memory."""
    return weights_hash({name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)})


def run_file(path: str | Path, device: str | torch.device = 'cpu', content: bytes | None = None) -> Callable[..., Tensor]:
    """What runs a file of ONNX by ONNX Runtime: by TensorRT or CUDA on a GPU where it has them, else on the CPU.

    Args:
        path: the file.
        device: of the tensors that it is given.
        content: of the file, where it is not written yet.

    Returns:
        Called with the inputs that are there, it returns the picture, on ``device``. A batch that is larger than that of the file is
        computed in parts.

    Raises:
        InputError: ONNX Runtime is missing, or a file that it cannot run.
    """
    return _runner(_session(path, device, content), path, device)


def _session(path: str | Path, device: str | torch.device, content: bytes | None = None) -> Any:
    """ONNX Runtime's session of a file."""
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f'{path} needs ONNX Runtime: {EXTRA}') from error
    wanted = ['TensorrtExecutionProvider', 'CUDAExecutionProvider'] if torch.device(device).type == 'cuda' else []
    providers = [name for name in (*wanted, 'CPUExecutionProvider') if name in onnxruntime.get_available_providers()]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(content or str(path), options, providers=providers)
    except Exception as error:  # whatever it does not like about a stranger's file
        raise InputError(f'{path} is no network that ONNX Runtime can run: {str(error).splitlines()[0]}') from error


def _runner(session: Any, path: str | Path, device: str | torch.device) -> Callable[..., Tensor]:
    """See :func:`run_file`."""
    shapes = {place.name: tuple(place.shape) for place in session.get_inputs()}
    if not shapes or not all(shape and all(isinstance(side, int) and side > 0 for side in shape) for shape in shapes.values()):
        raise InputError(f'{path} is for inputs of shape {shortened(list(shapes.values()))}, expected whole numbers: export it again, '
                         f'{AGAIN}')

    def run(*given: Tensor) -> Tensor:
        parts = list(zip(*(x.split(shape[0]) for x, shape in zip(given, shapes.values()))))
        if len(given) != len(shapes) or any([tuple(x.shape) for x in part] != list(shapes.values()) for part in parts):
            raise InputError(f'{path} is for inputs of shape {list(shapes.values())}, got {[tuple(x.shape) for x in given]}: export it '
                             'again for this checkpoint and this size')
        return torch.cat([computed(part) for part in parts])

    def computed(part: Sequence[Tensor]) -> Tensor:
        arrays = [np.ascontiguousarray(x.detach().float().cpu().numpy()) for x in part]
        return torch.from_numpy(session.run(None, dict(zip(shapes, arrays)))[0]).to(device)
    return run
