"""Runtimes other than torch: a network as they take it, and files of ONNX that they run."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.structures import InputError

EXTRA = "pip install 'human-video-toolkit[export]'"


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


def run_file(path: str | Path, device: str | torch.device = 'cpu') -> Callable[..., Tensor]:
    """What runs a file of ONNX by ONNX Runtime: by TensorRT or CUDA on a GPU where it has them, else on the CPU.

    Args:
        path: the file.
        device: of the tensors that it is given.

    Returns:
        Called with the inputs that are there, it returns the picture, on ``device``.

    Raises:
        InputError: ONNX Runtime is missing, or a file that it cannot run.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f'{path} needs ONNX Runtime: {EXTRA}') from error
    wanted = ['TensorrtExecutionProvider', 'CUDAExecutionProvider'] if torch.device(device).type == 'cuda' else []
    providers = [name for name in (*wanted, 'CPUExecutionProvider') if name in onnxruntime.get_available_providers()]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # whatever it does not like about a stranger's file
        raise InputError(f'{path} is no network that ONNX Runtime can run: {str(error).splitlines()[0]}') from error
    shapes = {place.name: tuple(place.shape) for place in session.get_inputs()}

    def run(*given: Tensor) -> Tensor:
        if [tuple(x.shape) for x in given] != list(shapes.values()):
            raise InputError(f'{path} is for inputs of shape {list(shapes.values())}, got {[tuple(x.shape) for x in given]}: export it '
                             'again for this checkpoint and this size')
        arrays = [np.ascontiguousarray(x.detach().float().cpu().numpy()) for x in given]
        return torch.from_numpy(session.run(None, dict(zip(shapes, arrays)))[0]).to(device)
    return run
