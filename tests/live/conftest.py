"""The command lines as modules."""

from tests.tools.conftest import load_tool  # noqa: F401
