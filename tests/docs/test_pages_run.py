"""The code in our pages runs as written, and prints what the page says."""

from pathlib import Path

import pytest
from page_runner import Runner, blocks_of

ROOT = Path(__file__).resolve().parents[2]


def run(name, folder):
    """Run a page's blocks in a folder; each has to be run or saved."""
    page = ROOT / name
    runnable = [block for block in blocks_of(page) if block.language in {"python", "console", "yaml"}]
    assert Runner(page, folder).run() == len(runnable) > 0


def test_the_readme_runs(tmp_path):
    """Python and shell blocks end well, and what they print is what stands below them."""
    run("README.md", tmp_path)


def test_the_page_on_the_performance_api_runs(tmp_path):
    """So it is with its example."""
    run("docs/performance-api.md", tmp_path)


@pytest.mark.slow
def test_the_page_on_ci_runs(tmp_path):
    """So it is with the gate in CI, some fifteen processes."""
    run("docs/ci.md", tmp_path)


@pytest.mark.slow
def test_the_guide_runs(tmp_path):
    """So it is with the guide, some twenty processes."""
    run("docs/guide.md", tmp_path)
