"""docs/attributes.md says what is written: compared with the spans, events and metrics of all that can be written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentnet_otel import semconv
from agentnet_otel.model import LatencyComponent, TokenCategory

HERE = Path(__file__).parent
COMPONENTS = {kind.value for kind in LatencyComponent} - {LatencyComponent.TOTAL.value}
CATEGORIES = {category.value for category in TokenCategory}
PLACEHOLDER = semconv.TURN_TOKENS_PREFIX + "<category>"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What was written, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "agentnet" / "standin")}
    done = subprocess.run(
        [sys.executable, HERE / "everything.py"],
        cwd=tmp_path_factory.mktemp("everything"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def attributes(page):
    """The page."""
    return page("docs/attributes.md")


def spans_named(cell):
    """Kinds of span in a cell of the column "on"."""
    named = {word.strip() for word in cell.split(",")}
    return (named - {"component"}) | (COMPONENTS if "component" in named else set())


def documented_attributes(attributes, code):
    """Kind of span -> attribute -> type, by the page; content has no column for its type, for it is text."""
    found = {}
    for key, kind, spans, _meaning in attributes.rows("Attributes of spans"):
        for span in spans_named(spans):
            found.setdefault(span, {})[code(key)[0]] = kind
    for key, spans, _meaning in attributes.rows("Content"):
        for span in spans_named(spans) - {"event"}:
            found.setdefault(span, {})[code(key)[0]] = "string"
    return found


def test_each_attribute_stands_with_its_spans_and_its_type(written, attributes, code):
    """The tables hold what is written on each span, all of it and nothing else."""
    found = {
        span: {PLACEHOLDER if key.startswith(semconv.TURN_TOKENS_PREFIX) else key: kind for key, kind in keys.items()}
        for span, keys in written["spans"].items()
    }
    assert found == documented_attributes(attributes, code)


def test_each_event_stands_with_its_attributes(written, attributes, code):
    """The events of spans and their keys, and the names of log records."""
    documented = {code(row[0])[0]: sorted(code(row[1])) for row in attributes.rows("Events")}
    assert {name: keys for name, keys in documented.items() if keys} == written["events"]
    assert set(documented) == set(written["logs"])


def test_each_metric_stands_with_instrument_unit_and_labels(written, attributes, code):
    """The table of metrics is what the instruments are, labels that are only sometimes there included."""
    documented = {}
    for name, instrument, unit, labels in attributes.rows("Metrics"):
        always, _, sometimes = labels.partition("on failure")
        documented[code(name)[0]] = {
            "instrument": instrument,
            "unit": code(unit)[0],
            "labels": sorted(code(always)),
            "sometimes": code(sometimes),
        }
    assert documented == written["metrics"]


def test_the_token_categories_are_named(attributes, code):
    """The placeholder in a key stands for these."""
    (row,) = [row for row in attributes.rows("Turn") if code(row[0])[0] == PLACEHOLDER]
    assert set(code(row[3])) == CATEGORIES


def test_the_spans_are_those_that_are_written(written, attributes, code):
    """The table of spans names all kinds, and no other."""
    assert {row[0] for row in attributes.rows("Spans")} == set(written["spans"])


def test_each_environment_variable_of_ours_is_told(attributes, code):
    """Variables that the package reads by itself stand on the page."""
    named = {value for name, value in vars(semconv).items() if name.startswith("ENV_")}
    assert {code(row[0])[0] for row in attributes.rows("Environment variables")} == named


def test_every_name_on_the_pages_exists(pages, code):
    """A key or metric in any page stands in semconv.py: none is misspelled, and none stays that is gone."""
    known = {value for value in vars(semconv).values() if isinstance(value, str)} | {PLACEHOLDER}
    standin = HERE.parent / "agentnet" / "standin"
    for page in pages:
        named = {name for name in code(page.prose) if re.fullmatch(r"(agentnet|gen_ai)\.[\w.<>]+", name)}
        places = {name: standin.joinpath(*name.split(".")) for name in named}
        modules = {name for name, place in places.items() if place.is_dir() or place.with_suffix(".py").exists()}
        assert named - modules - known == set(), page.path
