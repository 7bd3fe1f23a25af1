"""Networks that a model took from the checkpoints of other runs: a checkpoint of its own holds them, and how to build them."""

from collections.abc import Mapping

from torch import Tensor

from toolkit.models.colour_codes import encoder_configs
from toolkit.models.frozen_restoration import STATE
from toolkit.weights import unpack_config

ENCODERS = 'colour_codes.'
RESTORATION = 'feature_maps.restoration.'


def use_own_networks(model: dict, state_dict: Mapping[str, Tensor]) -> None:
    """Let the config of a model build its colour encoders and restoration network as its own checkpoint says. In place.

    The files they came from are not needed then.

    Args:
        model: config of the model; what it does not have is left so.
        state_dict: of the whole model.
    """
    if model.get('colour_codes'):
        model['colour_codes'].update(encoder_configs(state_dict, ENCODERS))
    if (model.get('feature_maps') or {}).get('restoration') and RESTORATION + STATE in state_dict:
        model['feature_maps']['restoration'] = unpack_config(state_dict[RESTORATION + STATE])
