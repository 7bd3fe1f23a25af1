"""Makes a plugin: a package with one part of a kind, whose tests pass at once."""

import keyword
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from toolkit import fields
from toolkit.files import check_output, make_folder, result_of, write_file
from toolkit.packaged import PACKAGE
from toolkit.registry import did_you_mean, find_part
from toolkit.structures import InputError

TEMPLATES = PACKAGE / 'plugin_templates'
REGISTRIES = dict(
    pose_estimator='POSE_ESTIMATORS', edge_detector='EDGE_DETECTORS', segmentor='SEGMENTORS', generator='GENERATORS',
    discriminator='DISCRIMINATORS', loss='LOSSES', method='MODELS', dataset='DATASETS', transform='TRANSFORMS', metric='METRICS',
    field='')
"""Kind of part -> its registry; a field, a map of each frame, has none."""
USES = dict(
    pose_estimator='hvt prepare dance.mp4 --out data/dance --pose CLASS confidence=0.8',
    edge_detector='hvt prepare dance.mp4 --out data/dance --edges CLASS',
    segmentor='hvt prepare dance.mp4 --out data/dance --mask CLASS',
    generator="model = dict(generator=dict(_delete_=True, type='CLASS'))",
    discriminator="model = dict(discriminator=dict(_delete_=True, type='CLASS'))",
    loss="model = dict(losses=dict(PACKAGE=dict(type='CLASS', weight=10.0)))",
    method="train_dataloader = dict(dataset=dict(window=1))\nmodel = dict(_delete_=True, type='CLASS', "
           "generator=dict(type='ResNetGenerator'),\n             discriminator=dict(type='PatchGAN'), "
           "losses=dict(gan=dict(type='GANLoss'), l1=dict(type='L1Loss', weight=100.0)))",
    dataset="data = None\ntrain_dataloader = dict(dataset=dict(_delete_=True, type='CLASS', folder='data/npz'))",
    transform="train_dataloader = dict(dataset=dict(transforms=[dict(type='CLASS')]))",
    metric="test_evaluator = [dict(type='CLASS')]",
    field="model = dict(feature_maps=dict(maps=['PACKAGE']))")
TAKEN = ('toolkit', 'tests', 'tools', 'configs')
PROJECT = '''[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{project}"
version = "0.1.0"
description = "{cls}, a {words} for human-video-toolkit"
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["human-video-toolkit"]

[project.entry-points."toolkit.plugins"]
{package} = "{package}"

[tool.setuptools]
packages = ["{package}"]
'''
README = '''# {project}

A plugin for human-video-toolkit: the {words} `{cls}`.

```bash
pip install -e .
pytest
hvt parts {registry}
```

It is found by its entry point, nothing has to be imported:

```{language}
{use}
```

What such a part is called with and returns: `hvt parts {registry}`.
'''


def new_plugin(kind: str, name: str, out: str | Path = '.') -> Path:
    """Write a package for a plugin. One that was cut off while it was written is finished.

    Args:
        kind: of part, one of :data:`REGISTRIES`.
        name: of its class, such as ``MyPose``; or of the package, such as ``my_pose``.
        out: folder in which the package's folder is made.

    Returns:
        The package's folder.

    Raises:
        InputError: an unknown kind, a name that cannot be or is taken, or a folder that holds something.
    """
    kind = kind.replace('-', '_').lower()
    if kind not in REGISTRIES:
        raise InputError(f'no such kind of part: {kind!r}.{did_you_mean(kind, REGISTRIES)} There are: {", ".join(REGISTRIES)}')
    package = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name).replace('-', '_').lower()
    cls = name if re.fullmatch('[A-Z][A-Za-z0-9]*', name) else ''.join(word.capitalize() for word in package.split('_'))
    if not re.fullmatch('[a-z][a-z0-9_]*', package) or keyword.iskeyword(package) or package in TAKEN:
        raise InputError(f'{name!r} cannot be the name of a package; expected letters, digits and _, such as MyPose or my_pose')
    words, registry = kind.replace('_', ' '), REGISTRIES[kind]
    there = find_part(cls).get(registry)
    if there is not None and there.__module__.split('.')[0] in ('toolkit', 'mmengine'):
        raise InputError(f'{name!r}: the toolkit has a {words} {cls}; choose another name')
    if kind == 'field' and (taken := [key for key in (package, f'content_{package}') if fields.find(key)]):
        raise InputError(f'{name!r}: the key {taken[0]!r} of a sample is taken; choose another name')
    if not Path(out, package).exists() and (package in sys.stdlib_module_names or package in packages_distributions()):
        raise InputError(f'{name!r}: {package} is the name of a package that is there already, which would be hidden; choose another '
                         f'name')
    folder = Path(out) / package
    check_output(folder, folder=True)

    def filled(text: str) -> str:
        return text.replace('CLASS', cls).replace('PACKAGE', package)

    use = filled(USES[kind])
    given = dict(project=package.replace('_', '-'), cls=cls if registry else package, words=words, package=package,
                 registry=registry or 'FIELDS', use=use if use.startswith('hvt') else f"_base_ = 'hvt::own/video.py'\n{use}",
                 language='bash' if use.startswith('hvt') else 'python')
    own = f'"""The {words} ``{given["cls"]}`` for human-video-toolkit; importing this package registers it."""\n\n'
    made = cls if registry else f'{package}_map'
    brings = f"from {package}.{kind} import {made}\n\n__all__ = ['{made}']\n"
    test = f'"""{given["cls"]} keeps what the toolkit calls, by the name under which it is registered."""\n\n'
    files = {
        'pyproject.toml': PROJECT.format(**given), 'README.md': README.format(**given), f'{package}/__init__.py': own + brings,
        f'{package}/{kind}.py': filled((TEMPLATES / f'{kind}.py.txt').read_text('utf-8')),
        f'tests/test_{package}.py': test + filled((TEMPLATES / f'{kind}.test.txt').read_text('utf-8'))}
    content = {path: text.encode() for path, text in files.items()}
    if folder.is_dir() and not _was_begun(folder, content):
        raise InputError(f'{folder}: holds files already; choose another name, or another folder with --out')
    for path, data in content.items():
        make_folder((folder / path).parent)
        write_file(folder / path, data)
    return folder


def _was_begun(folder: Path, content: dict[str, bytes]) -> bool:
    """Whether a folder holds nothing, or nothing but some of these files and what a kill leaves of one."""
    there = {path.relative_to(folder): path for path in folder.rglob('*') if path.is_symlink() or not path.is_dir()}
    whole = {name for name, path in there.items()
             if path.is_file() and not path.is_symlink() and path.read_bytes() == content.get(name.as_posix())}
    cut_off = {name for name in there if (name.parent / (result_of(name.name) or '')).as_posix() in content}
    return len(whole) < len(content) and whole | cut_off == there.keys()
