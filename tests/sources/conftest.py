"""What tests of files share."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest


@pytest.fixture
def without_rights():
    """Makes contexts in which this process is a user who may not read everything."""

    @contextmanager
    def made():
        if os.geteuid():
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return made


@pytest.fixture
def open_folder():
    """A folder that everybody may read; what is in it may be locked."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        yield top
        for path in top.iterdir():
            path.chmod(0o755)
