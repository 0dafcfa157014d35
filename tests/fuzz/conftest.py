"""Lets the tests here import what stands beside them, and ends what a target started."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _no_server_stays():
    """The server that answers in place of Jaeger ends with its test."""
    yield
    import targets  # noqa: PLC0415 - the path to it was set above

    targets.close_server()
