"""Our pages agree with the code, with each other, and with what was measured."""

import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click import Context

import agentnet_otel
import agentnet_otel.testing
from agentnet_otel import cli, errors
from agentnet_otel.core.thresholds import DOCUMENTED

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
QUOTED = re.compile(r"<!--(\w+)\.(\w+)( %)?-->([\d.]+)( %)?<!---->")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(path):
    """A page's path in the checkout."""
    return str(path.relative_to(ROOT))


def slugs(path):
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands():
    """The commands and their help, by name."""
    context = Context(cli.app)
    return {name: inspect.cleandoc(cli.app.get_command(context, name).help) for name in cli.app.list_commands(context)}


# --- README ----------------------------------------------------------------------------------------------


def test_the_readme_is_short(page):
    """Under 150 lines, and it names the two commands."""
    text = page("README.md").text
    assert len(text.splitlines()) < 150
    assert "$ make demo\n$ make test\n" in text


def test_the_readme_quotes_what_was_measured(page):
    """Each ratio is that of results.json, rounded; three claims name their script, and no script is left unnamed."""
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    text = page("README.md").text
    quoted = QUOTED.findall(text)
    assert {script for script, *_ in quoted} == set(results)
    for script, ratio, percent, said, _ in quoted:
        digits = len(said.partition(".")[2])
        wanted = results[script][ratio] * (100 if percent else 1)
        assert f"{wanted:.{digits}f}" == said, f"{script}.{ratio}"
    assert set(re.findall(r"benchmarks/(bench_\w+)\.py", text)) == {f"bench_{script}" for script in results}


def test_no_figure_of_a_claim_stands_without_its_source(page):
    """Between the claims' bullets each number with "times" or "%" carries its mark."""
    claims = page("README.md").text.split("## ", 1)[0]
    unmarked = re.findall(r"[\d.]+ ?(?:%|times)", QUOTED.sub("", claims))
    assert not unmarked


def test_the_extras_of_the_readme_are_those_that_there_are(page, code):
    """One row for each extra of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {code(row[0])[0] for row in page("README.md").rows("Extras")} == set(project["optional-dependencies"])


# --- versions, links, decisions --------------------------------------------------------------------------


def test_the_newest_entry_of_the_changelog_is_this_version(page):
    """Entries are newest first, and the first is the package's version."""
    text = page("CHANGELOG.md").text
    found = re.findall(r"^## (\d+)\.(\d+)\.(\d+) \((?:\d{4}-\d\d-\d\d|unreleased)\)$", text, re.MULTILINE)
    versions = [tuple(map(int, version)) for version in found]
    assert versions == sorted(set(versions), reverse=True)
    assert ".".join(map(str, versions[0])) == agentnet_otel.__version__
    assert len(found) == text.count("\n## ")


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    """A link into the checkout names a file that is there, and a heading that is in it."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in LINK.findall(text):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), link
        assert found.is_relative_to(ROOT), link
        assert not anchor or anchor in slugs(found), link


def test_decisions_have_numbers_and_the_same_parts():
    """Numbers follow each other, the title repeats the number, and each says context, decision, consequences."""
    paths = sorted((ROOT / "docs" / "adr").glob("*.md"))
    for number, path in enumerate(paths, 1):
        text = path.read_text()
        assert re.fullmatch(rf"{number:03d}-[a-z0-9-]+\.md", path.name), f"{path.name}: {number:03d} would be next"
        assert text.startswith(f"# {number}. "), path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
        assert len(text.splitlines()) < 60, "a decision fits on a page"
    assert paths


# --- code ------------------------------------------------------------------------------------------------


def tree_of(text):
    """Class -> parent, by a drawn tree."""
    parents, path = {}, []
    for line in text.splitlines():
        found = re.match(r"^([\s│├└─]*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1] if depth else None
    return parents


def test_the_tree_of_errors_is_that_of_the_classes(page, code):
    """The docstring of errors.py, the page and the classes agree; the page explains each class."""
    classes = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    parents = {
        name: kind.__base__.__name__ if kind.__base__ is not Exception else None for name, kind in classes.items()
    }
    drawing = inspect.cleandoc("\n".join(line for line in errors.__doc__.splitlines() if "Error" in line))
    assert tree_of(inspect.cleandoc("\n" + drawing)) == parents
    exceptions = page("docs/exceptions.md")
    assert tree_of(exceptions.text.split("```text\n")[1].split("```")[0]) == parents
    assert [code(row[0])[0] for row in exceptions.rows("Exceptions")] == list(tree_of(drawing))


def test_the_layers_are_those_that_are_enforced(page, code):
    """The table of ARCHITECTURE.md, lowest first, is import-linter's contract, as far as the packages exist."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    package = Path(agentnet_otel.__file__).parent
    there = [
        {name for word in layer.split("|") if list(package.glob(f"{(name := word.strip(' ()'))}*"))}
        for layer in reversed(layers)
    ]
    assert [set(code(row[0])) for row in page("ARCHITECTURE.md").rows("Layers")] == there


def test_rooms_of_the_architecture_exist(page, code):
    """Each path in "where to put what" is a file or folder of the package or of the checkout."""
    package = Path(agentnet_otel.__file__).parent
    for row in page("ARCHITECTURE.md").rows("Where to put what"):
        for room in code(row[1]):
            assert (package / room).exists() or (ROOT / room).exists(), room


@pytest.mark.parametrize("name", sorted(commands()))
def test_each_command_has_an_example_and_stands_in_the_guide(name, page):
    """Its help ends with an example of itself; the guide shows or explains it."""
    assert re.search(rf"^Example: agentnet-otel {name}\b", commands()[name], re.MULTILINE)
    assert re.search(rf"`{name}`|agentnet-otel {name}\b", page("docs/guide.md").text)


def test_pages_made_from_the_code_are_current():
    """What `make docs` would write is what is committed."""
    command = [sys.executable, ROOT / "tools" / "make_docs.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_limits_of_the_guide_are_the_documented_ones(page, code):
    """Metric, recommended and critical limit of the table in the guide."""
    for name, recommended, critical in page("docs/guide.md").rows("Limits of your own"):
        metric = code(name)[0]
        threshold = next(t for t in DOCUMENTED.values() if t.metric.value == metric)
        side = ">" if threshold.higher_is_better else "<"
        assert (recommended, critical) == (f"{side} {threshold.recommended:g}", f"{side} {threshold.critical:g}")
    assert len(page("docs/guide.md").rows("Limits of your own")) == len(DOCUMENTED)


def test_the_keys_of_turns_are_those_of_the_guide(page, code):
    """The table names every key of a row, in the row's order, and no other."""
    rows = importlib.import_module("agentnet_otel.outputs.turn_rows")
    testing = importlib.import_module("agentnet_otel.testing")
    rebuilding = importlib.import_module("agentnet_otel.core.assembler")
    assembler = rebuilding.Assembler()
    assembler.feed(testing.turn_record(1))
    (turn,) = assembler.drain()
    section = page("docs/guide.md").section("Reading back")
    table = [row for row in section.splitlines() if row.startswith("| `")]
    assert [key for row in table for key in code(row.split("|")[1])] == list(rows.turn_row(turn))


def test_the_names_of_the_testing_module_are_told(page, code):
    """Each public name that `agentnet_otel.testing` defines stands in the guide."""
    module = agentnet_otel.testing
    own = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", module.__name__) == module.__name__
    }
    told = {name for row in page("docs/guide.md").rows("Testing with it") for name in code(row[0])}
    assert own - told - {"Any", "Final"} == set()
    assert told <= own


def test_the_arguments_of_instrument_stand_in_the_guide(page):
    """Each keyword is used or explained."""
    text = page("docs/guide.md").text
    names = inspect.signature(agentnet_otel.instrument).parameters
    assert [name for name in names if not re.search(rf"\b{name}=", text)] == []


@pytest.mark.parametrize("kind", ["TurnSpan", "ComponentSpan"])
def test_the_manual_api_stands_in_the_guide(kind, page):
    """Every public method of turns and components that records or sets something."""
    module = {"TurnSpan": "turn_span", "ComponentSpan": "component_span"}[kind]
    cls = getattr(importlib.import_module(f"agentnet_otel.instrumentation.{module}"), kind)
    methods = {name for name in vars(cls) if name.startswith(("record_", "set_"))}
    told = set(re.findall(r"`(\w+)\(", page("docs/guide.md").section("The manual API")))
    assert methods <= told


def test_the_targets_of_contributing_are_those_of_the_makefile(page, code):
    """A row for each target but help; none that is gone."""
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    told = {code(row[0])[0].removeprefix("make ") for row in page("CONTRIBUTING.md").rows("Contributing")}
    assert told == set(phony) - {"help", "environment"}
