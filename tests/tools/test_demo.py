"""The demo keeps to its own folder."""

import pytest


def test_a_folder_of_others_is_refused(load_tool, tmp_path, capsys):
    (tmp_path / 'metrics.json').write_text('mine')
    with pytest.raises(SystemExit) as end:
        load_tool('demo').main(['--out', str(tmp_path)])
    message = 'holds what was not made here (metrics.json); choose another folder with --out'
    assert end.value.code == 2 and message in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ['metrics.json'] and (tmp_path / 'metrics.json').read_text() == 'mine'
