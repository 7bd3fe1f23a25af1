"""The synthetic actions: thirteen actors, sixteen actions, one truth."""

from functools import lru_cache

import numpy as np

from toolkit.data.synthetic.actors import Actor, make_actor
from toolkit.data.synthetic.choreography import ACTION_NAMES, parameters
from toolkit.data.synthetic.renderer import Rendered, Renderer
from toolkit.structures import InputError
