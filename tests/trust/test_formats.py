"""Every place that reads a format of files is known, and none can run what is in the file. A new one belongs into this list."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
READERS = {
    'torch.load': {'toolkit/weights.py'},
    'load_file': {'toolkit/weights.py'},
    'safe_open': {'toolkit/weights.py'},
    'np.load': {'toolkit/benchmark/sheet.py'},
    'np.fromfile': {'toolkit/clips/clip.py'},
    'zipfile.ZipFile': {'toolkit/doors.py', 'toolkit/poses/array_files.py', 'toolkit/weights.py'},
    'Image.open': {'toolkit/clips/checks.py', 'toolkit/video/picture_file.py', 'toolkit/web/live.py'},
    'cv2.imdecode': {'toolkit/clips/checks.py', 'toolkit/video/picture_file.py'},
    'av.open': {'toolkit/live/sending.py', 'toolkit/live/sources.py', 'toolkit/video/io.py', 'toolkit/video/sound.py',
                'toolkit/video/source.py'},
    'Config.fromfile': {'toolkit/engine/config.py'},
    'torch.hub.load_state_dict_from_url': set(), 'yaml.safe_load': {'toolkit/packaged.py'},
    **{f'yaml.{name}': set() for name in ('load', 'load_all', 'unsafe_load', 'full_load')}}
"""Call -> files that may make it. JSON is left out: it is data whoever reads it."""
OWN = {'cv2.imread': {'toolkit/preparing/prepare.py', 'toolkit/preparing/report.py'}}
"""Calls for pictures that were written a moment ago."""
CODE = {
    'importlib.import_module': {'toolkit/plugins.py', 'toolkit/registry.py', 'toolkit/signatures.py', 'toolkit/conversion/convert.py',
                                'toolkit/poses/mmpose_estimator.py'},
    'compile': {'toolkit/engine/config.py'}, **{name: set() for name in ('runpy.run_path', 'eval', 'exec', 'os.system', '__import__')}}
"""Calls that run code -> files that may make them: configs (which are the user's programs), plugins, parts by name."""
NEVER = {'pickle', 'cPickle', 'marshal', 'shelve', 'dill', 'cloudpickle', 'joblib', 'xml', 'tarfile'}
TORCH_ALONE = {'toolkit/poses/mmpose_estimator.py'}
"""Files of packages that are not ours, which the package reads."""


@cache
def sources():
    """File -> syntax tree of all that is installed."""
    files = [*ROOT.glob('toolkit/**/*.py'), *ROOT.glob('tools/*.py'), *ROOT.glob('plugins/**/*.py')]
    return {str(f.relative_to(ROOT)): ast.parse(f.read_text()) for f in sorted(files) if 'tests' not in f.relative_to(ROOT).parts}


@cache
def calls():
    """(file, name, call) of all calls."""
    return [(file, ast.unparse(node.func), node) for file, tree in sources().items() for node in ast.walk(tree)
            if isinstance(node, ast.Call)]


def test_files_are_read_in_known_places_alone():
    allowed = READERS | OWN | CODE
    wrong = [f'{file}: {name}' for file, name, _ in calls() if name in allowed and file not in allowed[name] | TORCH_ALONE]
    assert not wrong, f'read it through toolkit.doors, or put it on the list with a reason: {wrong}'


def test_weights_are_data_alone():
    loads = [(file, node) for file, name, node in calls() if name == 'torch.load']
    assert loads
    for file, node in loads:
        options = {word.arg: word.value for word in node.keywords}
        assert isinstance(options.get('weights_only'), ast.Constant) and options['weights_only'].value is True, file
    for file, name, node in calls():
        if name in ('np.load', 'np.lib.format.read_array'):
            pickled = [word.value for word in node.keywords if word.arg == 'allow_pickle']
            assert all(isinstance(value, ast.Constant) and value.value is False for value in pickled), file


def test_no_format_that_runs_code_is_read():
    for file, tree in sources().items():
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module or ''] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split('.')[0] not in NEVER or (file, name) == ('toolkit/weights.py', 'pickle'), f'{file} imports {name}'
    used = {ast.unparse(node) for node in ast.walk(sources()['toolkit/weights.py'])
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == 'pickle'}
    assert used == {'pickle.UnpicklingError'}, 'the name of an error, no more'
