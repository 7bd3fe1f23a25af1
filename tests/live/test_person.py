"""Whom a checkpoint paints where nobody says it: the first person of its training."""

import json
import shutil
from types import SimpleNamespace

from toolkit.live import person


def test_clips_of_nobody_named_are_not_one_person(clips, tmp_path):
    def found(*names, **data):
        for clip, name in zip(clips, names):
            folder = tmp_path / clip.folder.name
            shutil.copytree(clip.folder, folder, dirs_exist_ok=True)
            about = json.loads((folder / 'manifest.json').read_text())
            (folder / 'manifest.json').write_text(json.dumps(dict(about, person=name)))
        trained = SimpleNamespace(config=dict(data=data, train_dataloader=dict(dataset=dict(root=str(tmp_path)))))
        return [clip.folder.name for clip in person._training_clips(trained, 'run')]

    first, second = (clip.folder.name for clip in clips)
    assert found('me', 'me') == [first, second]
    assert found('me', 'friend') == [first]
    assert found('me', 'friend', persons='friend') == found('me', 'friend', persons=['friend']) == [second]
    assert found('person', 'person') == [first], 'their pixels would be mixed'
