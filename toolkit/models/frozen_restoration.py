"""The trained network of feature restoration in the service of others: rebuilt from its checkpoint and frozen."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from toolkit.encoders.region_encoder import unpack_config
from toolkit.generators.restoration import RestorationNetwork
from toolkit.registry import GENERATORS
from toolkit.structures import InputError, MissingWeightsError
from toolkit.weights import load_state, read_checkpoint

STATE = '_extra_state'
NETWORK = 'net_g.'
OWN = 'feature_maps.restoration.'


def load_restoration(source: str | Path | dict) -> RestorationNetwork:
    """Make a frozen restoration network.

    Args:
        source: checkpoint of :class:`toolkit.models.feature_restoration.FeatureRestoration`, or the work dir of its run, whose last
            checkpoint is taken; or the config of a network, which gets its weights with the whole model's: a checkpoint of stage II
            holds that config, see :func:`use_own_restoration`.

    Returns:
        The network, on the CPU, in eval mode.

    Raises:
        MissingWeightsError: no checkpoint; the message says which command makes it.
        InputError: unreadable file, no restoration network in it, or weights that do not fit.
    """
    if isinstance(source, dict):
        network = GENERATORS.build(dict(dict(type='RestorationNetwork'), **source))
    else:
        path = _find_checkpoint(Path(source))
        weights = read_checkpoint(path)['state_dict']
        state = {key[len(NETWORK):]: value for key, value in weights.items() if key.startswith(NETWORK)}
        config = unpack_config(state[STATE]) if STATE in state else {}
        if config.get('type') != 'RestorationNetwork':
            raise InputError(f'{path} holds no restoration network; it must be a checkpoint of configs/feature_restoration.py')
        network = GENERATORS.build(config)
        load_state(network, state, path)
    return network.requires_grad_(False).eval()


def use_own_restoration(model: dict, state_dict: Mapping[str, Tensor]) -> None:
    """Let the config of a model of stage II build its restoration network as its own checkpoint says, not from a file. In place.

    Args:
        model: config of the model; one whose ``feature_maps`` have no ``restoration`` is left as it is.
        state_dict: of the whole model.
    """
    if (model.get('feature_maps') or {}).get('restoration') and OWN + STATE in state_dict:
        model['feature_maps']['restoration'] = unpack_config(state_dict[OWN + STATE])


def _find_checkpoint(path: Path) -> Path:
    if path.is_file():
        return path
    numbered = [(int(p.stem[5:]), p) for p in path.glob('iter_*.pth') if p.stem[5:].isdigit()] if path.is_dir() else []
    if numbered:
        return max(numbered)[1]
    where = f'no checkpoint in {path}' if path.is_dir() else f'{path} does not exist'
    raise MissingWeightsError(
        f'feature restoration: {where}. Train it first: python tools/train.py configs/feature_restoration.py --work-dir '
        f'work_dirs/feature_restoration')
