"""What the page has done, in the process of a job."""

from collections.abc import Mapping

from toolkit.engine.launch import load_config
from toolkit.web import work


def downloads(config):
    """Whether anything in a config may load from the network."""
    if isinstance(config, Mapping):
        return bool(config.get('download')) or any(map(downloads, config.values()))
    return isinstance(config, (list, tuple)) and any(map(downloads, config))


def test_a_fine_tuning_of_the_page_asks_nobody_for_weights(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(work.apis, 'finetune', lambda *values, cfg_options, progress: asked.append((values, cfg_options)))
    assert work.finetune(work.Progress(), str(tmp_path / 'run'), str(tmp_path), 8, True) == 'run'
    (values, options), = asked
    assert values == ([], str(tmp_path / 'run'), str(tmp_path), 8, True)
    assert downloads(load_config(work.apis.FINETUNE)._cfg_dict.to_dict())
    config = load_config(work.apis.FINETUNE, options)
    assert not downloads(config._cfg_dict.to_dict()) and config.train_cfg.val_interval == 2
