"""Whether two clips show one person: by their names, by the video they are of, and by whom of several people they follow."""

import numpy as np
import pytest

from toolkit.clips.clip import ClipWriter
from toolkit.clips.same_person import identity, same_person
from toolkit.inference.runtimes import is_of, whose


def made(folder, person='person', **manifest):
    writer = ClipWriter(folder, folder.name, person, 'a', 32, 32, 25)
    blank = np.zeros((32, 32), np.float32)
    writer.add(np.zeros((32, 32, 3), np.uint8), np.zeros((18, 3)), blank, blank, blank.astype(np.uint8))
    return writer.finish(**manifest)


@pytest.mark.parametrize('one, other', [('left', 'right'), ([10., 20.], [300., 20.]), (None, 'right')])
def test_two_people_of_one_video_are_not_one_person(tmp_path, one, other):
    def clip(name, x, follow, person='person'):
        return made(tmp_path / name, person, source=dict(sha256='a', crop=[x, 0, 32, 32]), settings=dict(follow=follow))

    first, second, again = clip('first', 0, one), clip('second', 90, other), clip('again', 10, one)
    assert same_person(first, again) == (True, 'both are made of the same video') and identity(first) == identity(again)
    same, why = same_person(first, second)
    assert not same and 'nothing says' in why and identity(first) != identity(second)
    ann, ben = clip('ann', 0, one, 'ann'), clip('ben', 90, other, 'ben')
    assert same_person(ann, ben) == (False, "the driving clip shows 'ann' and the content clip 'ben'")
    ann_later = clip('ann_later', 90, other, 'ann')
    assert same_person(ann, ann_later) == (True, "both clips show 'ann'")
    for norms_of, of, not_of in ((first, again, second), (ann, ann_later, ben), (ann, first, second)):
        assert is_of(whose(norms_of), of) and not is_of(whose(norms_of), not_of)


@pytest.mark.parametrize('follow', [None, 'left'])
def test_two_names_are_two_people_though_they_come_one_after_the_other_in_one_video(tmp_path, follow):
    def clip(name, person):
        return made(tmp_path / name, person, source=dict(sha256='a', crop=[0, 0, 32, 32]), settings=dict(follow=follow))

    ann, ben, unnamed = clip('ann', 'ann'), clip('ben', 'ben'), clip('unnamed', 'person')
    assert same_person(ann, ben) == (False, "the driving clip shows 'ann' and the content clip 'ben'")
    assert not is_of(whose(ann), ben) and is_of(whose(ann), unnamed) and is_of(whose(unnamed), ben)
    for one, other in ((ann, unnamed), (unnamed, ann), (ann, clip('ann_again', 'ann')), (ann, ann)):
        assert same_person(one, other) == (True, 'both are made of the same video')


@pytest.mark.parametrize('said', [None, 'me.mp4', ['me.mp4']])
def test_a_source_in_words_of_somebody_else_says_nothing(tmp_path, said):
    one, other = (made(tmp_path / name, source=said, settings=said) for name in ('one', 'other'))
    assert identity(one) != identity(other) and not same_person(one, other)[0]
