"""Generation as fast as the machine allows: half precision, another runtime, recorded kernels, for the networks of any method."""

import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from toolkit.channels_last import use_channels_last
from toolkit.engine.checkpoint import AVERAGED
from toolkit.inference.runtimes import AGAIN, EXTRA, NetworkFile, Positional, is_network_file, network_hash, open_network
from toolkit.machine import Machine, machine
from toolkit.models.base import VideoModel
from toolkit.models.compiling import compile_network
from toolkit.registry import GENERATORS, RESTORERS
from toolkit.structures import InputError

WAYS = ('auto', 'half', 'compile', 'openvino', 'graph')
WARM_UP = 3
MOST = 8
"""Shapes of input for which a network is recorded or converted; others are computed as they are."""
OTHERWISE = f'; faster by OpenVINO: {EXTRA}'
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def speed_up(model: VideoModel, way: str | Path | NetworkFile = 'auto') -> str:
    """Make the networks of a model fast on its device, for generation alone.

    Args:
        model: in eval mode, on its device.
        way: ``'half'`` computes in bfloat16; ``'graph'`` records the kernels on a GPU as well; ``'openvino'`` runs the networks by
            OpenVINO on the CPU; ``'compile'`` by ``torch.compile``, which takes a minute or more; ``'auto'`` takes what is fastest at
            once. Or a file of ``tools/export.py``, whose network takes the place of the model's.

    All but ``'half'``, which any method can compute in, are for networks of the registries of generators and restorers.

    Returns:
        One line that says what was chosen.

    Raises:
        InputError: an unknown way, one that this machine does not have, one that would change no network of the model, or a file of
            another model.
    """
    here, kinds = machine(model.data_preprocessor.device), tuple({*GENERATORS.module_dict.values(), *RESTORERS.module_dict.values()})
    networks = {name: network for name, network in model.networks().items() if isinstance(network, kinds)}
    kind = type(model).__name__
    if is_network_file(way):
        way = open_network(way, model.data_preprocessor.device)
    if isinstance(way, NetworkFile):
        return f'fast: {_replaced(networks, way, kind)} is that of {way.path}, stages overlap ({here.name})'
    if way not in WAYS:
        raise InputError(f'fast must be one of {", ".join(WAYS)}, or a file that hvt export wrote, got {way!r}')
    if not networks and way not in ('auto', 'half'):
        raise InputError(f'fast={way!r} would change nothing: it is for generators of the registry, and a {kind} has networks of its '
                         "own; take 'auto' or 'half'")
    fastest = 'half' if not networks else 'graph' if here.graphs else 'openvino' if here.openvino else 'half'
    chosen = fastest if way == 'auto' else way
    lacking = dict(
        openvino=not here.openvino and f'OpenVINO, which runs on a CPU: {EXTRA}',
        graph=not here.graphs and 'a GPU', compile=not here.compiles and 'a C++ compiler, or Triton on a GPU')
    if lacking.get(chosen):
        raise InputError(f'fast={way!r} needs {lacking[chosen]}')
    for network in networks.values():
        if chosen != 'openvino' and here.half:
            halve(network, here)
        if chosen == 'openvino':
            network.forward = ByOpenVINO(network, here.half)
        elif chosen == 'graph':
            network.forward = Recorded(network)
        elif chosen == 'compile':
            compile_network(network, {})
    if chosen != 'openvino' and here.half:
        model.inference_dtype = here.half
    if not networks:
        half = f'networks in {here.half}, otherwise as they are' if here.half else f'the networks of a {kind} stay as they are'
        return f'fast: {half}, stages overlap ({here.name})'
    if chosen == 'half' and not here.half:
        return f'fast: stages overlap; nothing else is faster on this machine ({here.name}){OTHERWISE}'
    ways = dict(half='', compile=', compiled', openvino=' by OpenVINO', graph=', recorded as a CUDA graph')
    advice = OTHERWISE if chosen == 'half' and here.name.startswith('CPU') else ''
    return f'fast: networks in {here.half or "float32"}{ways[chosen]}, stages overlap ({here.name}){advice}'


def _replaced(networks: Mapping[str, nn.Module], file: NetworkFile, kind: str) -> str:
    """Put the network of a file into the place of the one that it was made from, as generation uses it; returns the name of that."""
    name = file.network + AVERAGED if file.network + AVERAGED in networks else file.network
    if name not in networks:
        raise InputError(f'{file.path} has the network {file.network}, but those of this {kind} are {", ".join(networks) or "others"}: '
                         f'give the checkpoint it was made from, or export this one, {AGAIN}')
    if network_hash(networks[name]) != file.weights:
        raise InputError(f'{file.path} was made from another checkpoint, whose {name} has other weights: give that checkpoint, or '
                         f'export this one, {AGAIN}')
    networks[name].forward = lambda *given: file.run(*(x for x in given if x is not None))
    return name


def halve(network: nn.Module, here: Machine) -> None:
    """Keep the weights of convolutions in half precision, in which autocast would convert them for every frame.

    Other weights stay: there are few of them, and layers such as :class:`toolkit.generators.injection.RegionRGB` compute in float32,
    without autocast.
    """
    for layer in network.modules():
        if isinstance(layer, CONVOLUTIONS):
            layer.to(getattr(torch, here.half))
    if here.channels_last:
        use_channels_last(network)


class _ByShape:
    """The forward of a network with something prepared for each shape of its input; as it is where that cannot be."""

    def __init__(self, network: nn.Module) -> None:
        self.plain, self.name, self._prepared = network.forward, type(network).__name__, {}

    def __call__(self, *given: Any, **named: Any) -> Any:
        if named or not all(x is None or isinstance(x, Tensor) for x in given):
            return self.plain(*given, **named)
        key = tuple(x if x is None else (tuple(x.shape), x.dtype) for x in given)
        if key not in self._prepared:
            self._prepared[key] = self._tried(given) if len(self._prepared) < MOST else None
        prepared = self._prepared[key]
        return self.plain(*given) if prepared is None else prepared(*(x for x in given if x is not None))

    def _tried(self, given: tuple[Tensor | None, ...]) -> Callable[..., Any] | None:
        try:
            return self.prepare(given)
        except Exception as error:  # of a runtime, for reasons of its own: the network itself still works
            _as_it_is(self.name, error)
            return None

    def prepare(self, given: tuple[Tensor | None, ...]) -> Callable[..., Any]:
        """What computes the network for inputs of these shapes, called with those that are not None."""
        raise NotImplementedError


def _as_it_is(name: str, error: Exception) -> None:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    print_log(f'{name} is run as it is, not fast: {reason}', 'current', logging.WARNING)


class Recorded(_ByShape):
    """The kernels of a network, recorded on the GPU and launched at once (a CUDA graph): one frame is hundreds of small kernels."""

    def prepare(self, given: tuple[Tensor | None, ...]) -> Callable[..., Any]:
        """As in the base class."""
        static = [None if x is None else x.clone() for x in given]
        half = torch.get_autocast_dtype('cuda') if torch.is_autocast_enabled('cuda') else None

        def run() -> Any:
            with torch.autocast('cuda', half, enabled=half is not None, cache_enabled=False):
                return self.plain(*static)

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode='thread_local'):
            result = run()
        places = [x for x in static if x is not None]

        def replay(*given: Tensor) -> Any:
            torch._foreach_copy_(places, list(given))
            graph.replay()
            return pytree.tree_map(lambda x: x.clone() if isinstance(x, Tensor) else x, result)
        return replay


class ByOpenVINO(_ByShape):
    """A network that OpenVINO runs on the CPU.

    Args:
        network: it.
        half: ``'bfloat16'`` for half precision.
    """

    def __init__(self, network: nn.Module, half: str | None) -> None:
        super().__init__(network)
        self.precision = 'bf16' if half else 'f32'

    def prepare(self, given: tuple[Tensor | None, ...]) -> Callable[..., Tensor]:
        """As in the base class."""
        import openvino
        inputs = tuple(x.contiguous() for x in given if x is not None)
        network = Positional(self.plain, [x is not None for x in given]).eval()
        if not isinstance(network(*inputs), Tensor):
            raise InputError('OpenVINO is used for networks that return one picture')
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')
            converted = openvino.convert_model(network, example_input=inputs, input=[list(x.shape) for x in inputs])
        fast = openvino.Core().compile_model(converted, 'CPU', dict(
            INFERENCE_PRECISION_HINT=self.precision, PERFORMANCE_HINT='LATENCY', ENABLE_CPU_PINNING=False))
        return lambda *given: torch.from_numpy(fast([x.contiguous().numpy() for x in given])[0])
