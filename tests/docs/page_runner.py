"""Running the blocks of a page, top to bottom, in one folder, and comparing what they print with what the page says.

A ``python`` block runs in a process of its own; a ``text`` block right below it is its output. A ``console`` block has
commands behind ``$`` and their output below them. ``...`` in an output stands for anything. A block whose first line is
a comment that ends in a file's name, such as ``# app.py``, is saved under that name and not run.
"""

import doctest
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STANDIN = ROOT / "tests" / "agentnet" / "standin"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"^# (?:[^\n]* )?([\w.-]+\.(?:py|yaml|json|toml))\n")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NOT_RUN = ("make ", "pip install ", "git clone ", "pre-commit ", "cd ")
"""Commands that install or change the checkout: only looked at, see `check_command`."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line where it begins."""

    language: str
    text: str
    line: int
    below: str
    """What stands between its end and the next block."""


def blocks_of(page):
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = list(FENCE.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start()) + 1, text[match.end() : end])
        for match, end in zip(found, ends, strict=True)
    ]


class Runner:
    """Runs one page in a folder."""

    def __init__(self, page, folder, environment=()):
        self.page = page
        self.folder = folder
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTNET_"))}
        self.environment = {**inherited, "PATH": path, "PYTHONPATH": str(STANDIN), **dict(environment)}

    def run(self):
        """Run all blocks; returns how many were run or saved."""
        blocks, done = blocks_of(self.page), 0
        for place, block in enumerate(blocks):
            named = FILE_NAME.match(block.text)
            if named:
                (self.folder / named[1]).write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                self._python(block, blocks[place + 1] if place + 1 < len(blocks) else None)
            elif block.language == "console":
                self._console(block)
            else:
                continue
            done += 1
        return done

    def _python(self, block, following):
        printed = self._process([sys.executable, "-W", "error", "-c", block.text], block)
        told = following is not None and following.language == "text" and not block.below.strip()
        self._compare(following.text if told else "", printed, block)

    def _console(self, block):
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, wanted = part.partition("\n")
            if command.startswith(NOT_RUN):
                check_command(command, ROOT)
            else:
                self._compare(wanted, self._process(["bash", "-c", command], block), block)

    def _process(self, command, block):
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{self.page.name}:{block.line} failed:\n{done.stdout}"
        return done.stdout

    def _compare(self, wanted, printed, block):
        matches = doctest.OutputChecker().check_output(wanted, printed, OPTIONS)
        assert matches, f"{self.page.name}:{block.line} says\n{wanted}\nand prints\n{printed}"


def check_command(command, root):
    """Look whether what an installing command names is there: a target, an extra, a file."""
    if command.startswith("make "):
        targets = set(re.findall(r"^([a-z0-9]+):", (root / "Makefile").read_text(), re.MULTILINE))
        asked = {word for word in command.split()[1:] if "=" not in word and not word.startswith("-")}
        assert asked <= targets, f"{command}: there is no target {asked - targets}"
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"])
    named = {extra for group in re.findall(r"agentnet-otel\[([\w,]+)\]", command) for extra in group.split(",")}
    assert named <= extras, f"{command}: there is no extra {named - extras}"
