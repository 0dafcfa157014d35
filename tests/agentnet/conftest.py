"""Which AgentNet the tests run on: the real one where AGENTNET_SRC names its tree, else the clean-room stand-in."""

import logging
import os
import sys
import warnings
from pathlib import Path

import pytest

STANDIN = Path(__file__).parent / "standin"
SOURCE = os.environ.get("AGENTNET_SRC")
REAL = bool(SOURCE)

sys.path.insert(0, SOURCE or str(STANDIN))
sys.path.insert(0, str(Path(__file__).parent))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the real one imports libraries that deprecate what it uses
    import agentnet.core.agent


def pytest_collection_modifyitems(items):
    """The framework's own warnings are not ours to fail for."""
    for item in items:
        if REAL and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """The framework writes where it runs, and logs what it does."""
    monkeypatch.chdir(tmp_path)
    logging.getLogger("agentnet").setLevel(logging.CRITICAL)


@pytest.fixture
def agent():
    """Makes an agent."""

    def make(engine=None, name="ag", **given):
        return agentnet.core.agent.AgentNet(name, {"logic": 0.8}, engine=engine, **given)

    return make


@pytest.fixture(scope="session")
def real():
    """Whether it is the real AgentNet."""
    return REAL
