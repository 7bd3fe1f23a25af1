"""What is refused before rtmlib is looked for."""

import pytest
import rtmlib_human  # noqa: F401

from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import InputError


@pytest.mark.parametrize('options', [
    dict(pose_size=(288, 384)), dict(det_size=(416, 416)), dict(det='', det_size=(416, 416)), dict(det='d.onnx', pose_size=(288, 384))])
def test_a_size_without_the_file_whose_it_is(options):
    with pytest.raises(InputError, match='_size=.* is for a file of your own'):
        POSE_ESTIMATORS.build(dict(type='RTMLibPose', **options))
