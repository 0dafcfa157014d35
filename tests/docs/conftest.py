"""Reading our pages: tables and names in them."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))  # the runner of pages lies beside the tests
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")


class Page:
    """A Markdown page."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.prose = FENCE.sub("", self.text)
        """The text without fenced blocks."""

    def section(self, title):
        """The prose below a heading, up to the next one of its level or above."""
        heading = re.search(rf"^(#+) {re.escape(title)}\n", self.prose, re.MULTILINE)
        assert heading, f"{self.path.name} has no section {title!r}"
        rest = self.prose[heading.end() :]
        end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest

    def rows(self, title):
        """The rows of all tables in a section, as lists of cells."""
        lines = [line for line in self.section(title).splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        rules = [place for place, row in enumerate(cells) if all(set(cell) <= {"-", ":"} for cell in row)]
        return [row for place, row in enumerate(cells) if place not in rules and place + 1 not in rules]


def code_in(text):
    """What stands in backticks."""
    return CODE.findall(text)


@pytest.fixture(scope="session")
def page():
    """A page by its path in the checkout."""
    return lambda name: Page(ROOT / name)


@pytest.fixture(scope="session")
def pages():
    """All pages of the checkout."""
    return [Page(path) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))]


@pytest.fixture(scope="session")
def code():
    """What stands in backticks."""
    return code_in
