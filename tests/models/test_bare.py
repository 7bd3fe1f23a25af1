from pathlib import Path

from mmengine.model import is_model_wrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from toolkit.models.bare import bare, unwrapped

TOOLKIT = Path(__file__).parents[2] / 'toolkit'


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module


def test_wrappers_are_looked_through_and_come_back_also_after_an_error():
    MODEL_WRAPPERS.register_module(module=Wrapper, name='WrapperOfTest')
    try:
        model = nn.Sequential(nn.Linear(1, 1), Wrapper(nn.Linear(1, 1)))
        wrapped = Wrapper(model)
        assert is_model_wrapper(wrapped) and bare(wrapped) is model and bare(model) is model
        try:
            with unwrapped(wrapped) as inside:
                assert list(inside.state_dict()) == ['0.weight', '0.bias', '1.weight', '1.bias']
                raise OSError
        except OSError:
            assert is_model_wrapper(model[1])
    finally:
        MODEL_WRAPPERS.module_dict.pop('WrapperOfTest')


def test_nobody_else_takes_wrappers_off():
    inline = [path.name for path in TOOLKIT.rglob('*.py') if '.module if is_model_wrapper' in path.read_text()]
    assert inline == ['bare.py']
