"""The code in our pages runs as written, and prints what the page says."""

from pathlib import Path

import pytest
from page_runner import Runner, blocks_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["README.md", "docs/guide.md"])
def test_the_blocks_of_a_page_run(name, tmp_path):
    """Python and shell blocks end well, and what they print is what stands below them."""
    page = ROOT / name
    runnable = [block for block in blocks_of(page) if block.language in {"python", "console", "yaml"}]
    assert Runner(page, tmp_path).run() == len(runnable) > 0
