"""The trained network of feature restoration in the service of others: rebuilt from its checkpoint and frozen."""

from pathlib import Path

from toolkit.registry import RESTORERS
from toolkit.structures import InputError
from toolkit.weights import EXTRA_STATE, ConfiguredNetwork, load_state, read_checkpoint, trained_checkpoint, unpack_config

NETWORK = 'net_g.'
CONFIG = 'configs/feature_restoration.py'


def load_restoration(source: str | Path | dict) -> ConfiguredNetwork:
    """Make a frozen restoration network.

    Args:
        source: checkpoint of :class:`toolkit.models.feature_restoration.FeatureRestoration`, or the work dir of its run, whose last
            checkpoint is taken; or the config of a network, which gets its weights with the whole model's: a checkpoint of stage II
            holds that config, see :func:`toolkit.weights.use_packed_configs`.

    Returns:
        The network, on the CPU, in eval mode.

    Raises:
        MissingWeightsError: no checkpoint; the message says which command makes it.
        InputError: unreadable file, no restoration network in it, or weights that do not fit.
    """
    if isinstance(source, dict):
        network = RESTORERS.build(dict(dict(type='RestorationNetwork'), **source))
    else:
        path = trained_checkpoint(source, 'feature restoration', CONFIG)
        weights = read_checkpoint(path)['state_dict']
        state = {key[len(NETWORK):]: value for key, value in weights.items() if key.startswith(NETWORK)}
        config = unpack_config(state[EXTRA_STATE]) if EXTRA_STATE in state else {}
        if str(config.get('type')) not in RESTORERS:
            raise InputError(f'{path} holds no restoration network; it must be a checkpoint of {CONFIG}')
        network = RESTORERS.build(config)
        load_state(network, state, path)
    return network.requires_grad_(False).eval()
