"""The folder of rendered clips that a dataset asks for: made on first use, by one process, and never a folder of the user's."""

import inspect
import json
import multiprocessing
from pathlib import Path

from toolkit.doors import read_json
from toolkit.files import make_folder, result_of, write_json
from toolkit.locks import locked
from toolkit.registry import EDGE_DETECTORS
from toolkit.structures import InputError

MARKER, LOCK = 'synthetic.json', '.synthetic.lock'
WRITING_OPTIONS = ('frame_format', 'num_workers', 'edge_detector', 'progress')
FREE_OPTIONS = ('frame_format', 'num_workers', 'progress')
"""Options that change how clips are written, not what they show: what is there already serves whatever they are."""


def build_synthetic(root: str | Path, options: dict) -> None:
    """Render synthetic actions into ``root`` unless they are there; one process does it, the others wait.

    ``synthetic.json`` says that a folder is ours and with what options; it is written first. Clips that are missing are rendered, at
    every call. A folder without it that holds anything is somebody's own: nothing is rendered there.

    Args:
        root: folder of clips.
        options: arguments of :class:`toolkit.synthetic.actions.SyntheticActions` and of its ``write``; ``actors`` and ``actions``
            may also be lists of numbers or names to render only these.

    Raises:
        InputError: ``root`` holds synthetic clips of other options, or what is not synthetic; an edge detector that cannot be built;
            or a process that was to render runs the script that started it once more.
        MissingWeightsError: those of the edge detector are not found.
    """
    from toolkit.synthetic.actions import SyntheticActions
    root, options = Path(root), json.loads(json.dumps(options))
    writing = {k: v for k, v in options.items() if isinstance(v, list) or k in WRITING_OPTIONS}
    people = SyntheticActions(**{k: v for k, v in options.items() if k not in writing})
    chosen = {k: v for k, v in writing.items() if k not in WRITING_OPTIONS}
    defaults = {k: p.default for k, p in inspect.signature(SyntheticActions).parameters.items() if p.default is not p.empty}
    asked = {k: v for k, v in {**defaults, **options}.items() if k not in FREE_OPTIONS and v is not None}
    _check_ours(root, asked, defaults)
    missing = people.missing(root, **chosen)
    if (root / MARKER).exists() and not missing:
        people.tidy(root, **chosen)
        return
    if getattr(multiprocessing.current_process(), '_inheriting', False):  # it would wait for its own parent
        raise InputError(f"{root}: a process that was to render runs your script again; its start must stand below if __name__ == "
                         "'__main__':")
    make_folder(root)
    with locked(root / LOCK):
        _check_ours(root, asked, defaults)
        missing = people.missing(root, **chosen)
        if missing and options.get('edge_detector'):
            EDGE_DETECTORS.build(options['edge_detector'])  # one that cannot be built must not bind the folder to its name
        write_json(root / MARKER, asked, lasting=True)
        if missing:
            people.write(root, **writing)


def _check_ours(root: Path, asked: dict, defaults: dict) -> None:
    if root.exists() and not root.is_dir():
        raise InputError(f'{root}: is no folder; choose another')
    try:
        names = sorted(p.name for p in root.iterdir() if p.name != LOCK and result_of(p.name) != MARKER) if root.is_dir() else []
    except OSError as error:
        raise InputError(f'{root}: cannot be read ({error.strerror}); check permissions or choose another folder') from error
    if MARKER not in names and names:
        raise InputError(
            f'{root}: holds what is not synthetic ({", ".join(names[:3])}{" and more" if len(names) > 3 else ""}), so no synthetic '
            f'clips are rendered there. For clips of your own set synthetic=None beside root, as in --cfg-options '
            f'data.synthetic=None; or choose another folder')
    if MARKER in names:
        was = read_json(root / MARKER)
        if not isinstance(was, dict):
            raise InputError(f'{root / MARKER}: is not ours; choose another folder')
        was = {**defaults, **was}
        differing = [f'{k} was {was.get(k)!r}, now {asked.get(k)!r}' for k in sorted({*was, *asked})
                     if k not in FREE_OPTIONS and was.get(k) != asked.get(k)]
        if differing:
            raise InputError(f'{root}: holds synthetic actions of other options ({"; ".join(differing[:4])}); choose another folder '
                             f'or remove it')
