"""What is said of a model that cannot be loaded; transformers itself is not needed."""

import sys
from types import SimpleNamespace

import pytest
from transformers_human.models import load

from toolkit.structures import MissingWeightsError


@pytest.mark.parametrize('name, download, words', [
    ('nobody/nothing', False, 'no such folder, .* download=True'),
    ('nobody/nothing', True, 'is the name right, and is there a connection'),
    ('.', False, 'a folder into which the whole of it was saved'), ('.', True, 'a folder into which the whole of it was saved')])
def test_why_a_model_cannot_be_loaded_is_said(monkeypatch, name, download, words):
    def fails(name, **options):
        raise OSError('there is no config.json')

    monkeypatch.setitem(sys.modules, 'transformers', SimpleNamespace(AutoModel=SimpleNamespace(from_pretrained=fails)))
    with pytest.raises(MissingWeightsError, match=rf'^{name}: .*{words}.*there is no config.json') as error:
        load('AutoModel', name, download)
    assert ('download=True' in str(error.value)) == (not download and name != '.')
