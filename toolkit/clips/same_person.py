"""Whether two clips are known to show one person."""

from toolkit.clips.clip import Clip

DEFAULT_PERSON = 'person'
"""Who is seen in a clip when nobody said it."""


def identity(clip: Clip) -> str:
    """Who is seen in a clip, the same for two clips only where that is known: the name, or, of the default name, the video itself."""
    if clip.person != DEFAULT_PERSON:
        return clip.person
    return f'{DEFAULT_PERSON} of {clip.manifest.get("source", {}).get("sha256") or clip.folder.resolve()}'


def same_person(driving: Clip, content: Clip) -> tuple[bool, str]:
    """Are both clips known to show the same person? The answer and its reason.

    They are if one file was prepared twice, or if the same name was given to both. The name that prepared clips have by default says
    nothing.
    """
    sources = [clip.manifest.get('source', {}).get('sha256') for clip in (driving, content)]
    if driving.folder == content.folder or (sources[0] and sources[0] == sources[1]):
        return True, 'both are made of the same video'
    persons = driving.person, content.person
    if DEFAULT_PERSON in persons:
        return False, 'nothing says that both clips show the same person (--person NAME of tools/prepare_data.py does)'
    if persons[0] == persons[1]:
        return True, f'both clips show {persons[0]!r}'
    return False, f'the driving clip shows {persons[0]!r} and the content clip {persons[1]!r}'
