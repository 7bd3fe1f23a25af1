"""The trained network of feature restoration in the service of others: rebuilt from its checkpoint and frozen."""

from pathlib import Path

from toolkit.registry import RESTORERS
from toolkit.weights import ConfiguredNetwork, load_network, trained_checkpoint

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
        network = load_network(RESTORERS, path, 'net_g.', 'restoration network', CONFIG)
    return network.requires_grad_(False).eval()
