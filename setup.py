"""The packages of a wheel: toolkit/, and inside of it tools/ and configs/, which lie beside it in the repository."""

from pathlib import Path

from setuptools import find_packages, setup

ROOMS = ('tools', 'configs')
folders = [folder for room in ROOMS for folder in (Path(room), *Path(room).rglob('*')) if folder.is_dir() and any(folder.glob('*.py'))]
setup(packages=find_packages(include=['toolkit', 'toolkit.*']) + ['.'.join(('toolkit', *folder.parts)) for folder in folders],
      package_dir={f'toolkit.{room}': room for room in ROOMS},
      package_data={'toolkit': ['pretrained/*', 'plugin_templates/*', 'web/*.css', 'web/*.js']})
