"""Fixtures that start `serve`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from serve_process import starting


@pytest.fixture
def serve(tmp_path):
    """Starts processes for one test."""
    with starting(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory):
    """Starts processes for all tests of a module."""
    with starting(tmp_path_factory.mktemp("serve")) as start:
        yield start
