"""Plugins are tested whether they are installed or not."""

import sys
from pathlib import Path

sys.path[:0] = [str(file.parent) for file in Path(__file__).parent.glob('*/pyproject.toml')]
