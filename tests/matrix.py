"""The tests on other versions of Python, torch, NumPy and MMEngine: ``make matrix``, or ``python tests/matrix.py ROW ...``.

Each row has a virtual environment of its own in ``--folder`` (default .matrix). What is there already is kept: a row that was stopped
is gone on with, one that is done is not run again (--again does). The table stands in <folder>/table.md and is printed at the end.
Pythons are those of the PATH (python3.10 and so on), of pyenv, or those that ``uv`` knows; rows without one say so.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWEST = ''
MMENGINE = 'mmengine==0.10.7'
ROWS = {
    'oldest': dict(python='3.10', torch='==2.6.*', numpy='==2.0.*', mmengine=MMENGINE),
    'newest': dict(python='3.11', torch=NEWEST, numpy=NEWEST, mmengine=MMENGINE),
    'between': dict(python='3.12', torch='==2.11.*', numpy=NEWEST, mmengine=MMENGINE),
    'python-3.13': dict(python='3.13', torch=NEWEST, numpy=NEWEST, mmengine=MMENGINE),
    'onedl': dict(python='3.11', torch=NEWEST, numpy=NEWEST, mmengine='onedl-mmengine')}
"""Row -> version of Python, and what pip is asked for: every version that the README states, in few rows."""
COUNTS = re.compile(r'(\d+) (passed|failed|errors?|skipped)')
SHOWN = ('torch', 'torchvision', 'numpy', 'mmengine', 'onedl-mmengine', 'mmcv-lite', 'opencv-python', 'av')


def python_of(version: str) -> list[str] | None:
    """The command of a version of Python; None where there is none."""
    if sys.version_info[:2] == tuple(map(int, version.split('.'))):
        return [sys.executable]
    of_pyenv = [[str(path)] for path in Path.home().glob(f'.pyenv/versions/{version}.*/bin/python')]
    commands = [[f'python{version}'], *of_pyenv, ['uv', 'run', '--no-project', '--offline', '--python', version, 'python']]
    asked = ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']
    for command in (command for command in commands if shutil.which(command[0])):
        if subprocess.run([*command, *asked], capture_output=True, text=True).stdout.strip() == version:
            return command
    return None


def install(row: dict[str, str], venv: Path, log) -> str:
    """Make the virtual environment of a row; what went wrong in words, or nothing."""
    stamp = venv / '.installed'
    if stamp.exists() and json.loads(stamp.read_text()) == row:
        return ''
    python = python_of(row['python'])
    if python is None:
        return f'no Python {row["python"]} here'
    if not (venv / 'bin' / 'python').exists():
        subprocess.run([*python, '-m', 'venv', str(venv)], check=True, stdout=log, stderr=log)
    pip = [str(venv / 'bin' / 'python'), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    for command in ([*pip, *requirements(row)], [*pip, '--no-deps', '--editable', str(ROOT)]):
        if subprocess.run(command, stdout=log, stderr=log).returncode:
            return f'cannot be installed, see {log.name}'
    subprocess.run([str(venv / 'bin' / 'python'), '-c', 'import mmengine'], stdout=log, stderr=log)
    stamp.write_text(json.dumps(row))
    return ''


def requirements(row: dict[str, str]) -> list[str]:
    """What pip is asked for: the toolkit's requirements and those of its tests, with the row's versions."""
    from configparser import ConfigParser
    setup = ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    listed = setup['options']['install_requires'].split('\n') + setup['options.extras_require']['dev'].split('\n')
    changed = {'torch': f'torch{row["torch"]}', 'numpy': f'numpy{row["numpy"]}', 'mmengine': row['mmengine']}
    names = [line.strip() for line in listed if line.strip()]
    kept = [line for line in names if re.match(r'[\w-]+', line)[0] not in changed]
    return [*kept, *(text if text.rstrip('=') else name for name, text in changed.items())]


def versions(venv: Path) -> dict[str, str]:
    """Installed versions that matter."""
    done = subprocess.run([str(venv / 'bin' / 'python'), '-m', 'pip', 'list', '--format', 'json'], capture_output=True, text=True)
    found = {entry['name']: entry['version'] for entry in json.loads(done.stdout or '[]')}
    return {name: found[name] for name in SHOWN if name in found}


def run(name: str, folder: Path, tests: list[str], processes: int) -> dict:
    """Run the tests of one row."""
    row, venv, start = ROWS[name], folder / name, time.monotonic()
    with open(folder / f'{name}.log', 'a') as log:
        if problem := install(row, venv, log):
            return dict(result=problem, versions={})
        command = [str(venv / 'bin' / 'python'), '-m', 'pytest', '-n', str(processes), '--no-header', '--tb=line', '-p',
                   'no:cacheprovider', *tests]
        env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'} | dict(OMP_NUM_THREADS='1')
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        log.write(done.stdout)
    counts = ', '.join(f'{count} {what}' for count, what in COUNTS.findall(done.stdout[-2000:]))
    failed = re.findall(r'^FAILED (\S+)', done.stdout, re.M)
    result = 'all passed' if not done.returncode else f'exit code {done.returncode}'
    return dict(result=f'{result}: {counts}', failed=failed, versions=versions(venv), python=row['python'], tests=tests or ['all'],
                minutes=round((time.monotonic() - start) / 60, 1))


def table(results: dict[str, dict]) -> str:
    """All rows in Markdown."""
    lines = ['| row | Python | versions | tests | result |', '|---|---|---|---|---|']
    for name, row in ROWS.items():
        found = results.get(name, dict(result='not run', versions={}))
        shown = ', '.join(f'{package} {version}' for package, version in found['versions'].items())
        more = f'; failed: {", ".join(found["failed"][:5])}' if found.get('failed') else ''
        lines.append(f'| {name} | {row["python"]} | {shown} | {" ".join(found.get("tests", []))} | {found["result"]}{more} |')
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run rows that are not done, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('rows', nargs='*', help=f'of {", ".join(ROWS)} (default: all)')
    parser.add_argument('--folder', type=Path, default=ROOT / '.matrix')
    parser.add_argument('--tests', nargs='+', default=[], help='only these files of tests (default: all)')
    parser.add_argument('--processes', type=int, default=2)
    parser.add_argument('--again', action='store_true', help='run rows again that are done')
    args = parser.parse_args(argv)
    if unknown := set(args.rows) - set(ROWS):
        parser.error(f'no row {", ".join(sorted(unknown))}; there are {", ".join(ROWS)}')
    args.folder.mkdir(parents=True, exist_ok=True)
    file = args.folder / 'results.json'
    results = json.loads(file.read_text()) if file.exists() else {}
    for name in args.rows or ROWS:
        if args.again or name not in results or not results[name].get('versions'):
            print(f'{name} ...', flush=True)
            results[name] = run(name, args.folder, args.tests, args.processes)
            file.write_text(json.dumps(results, indent=1))
            (args.folder / 'table.md').write_text(table(results) + '\n')
    print(table(results))
    return int(any('all passed' not in results[name]['result'] for name in args.rows or ROWS))


if __name__ == '__main__':
    sys.exit(main())
