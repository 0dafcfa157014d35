"""The report as it was kept: what a change does to it has to be meant."""

import importlib.util
import json
from pathlib import Path

import pytest

from agentnet_otel.outputs.reports.formats import render

SOURCE = Path(__file__).with_name("golden_report.py")


@pytest.fixture(scope="module")
def golden():
    """The module that makes the report."""
    spec = importlib.util.spec_from_file_location("golden_report", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("ending", ["md", "json"])
def test_the_report_is_as_it_was(golden, ending):
    """Markdown and JSON of fixed turns are those in the folder; `python tests/outputs/golden_report.py` renews them."""
    kept = (golden.FOLDER / f"report.{ending}").read_text(encoding="utf-8")
    made = render(golden.golden_report(), ending)
    if ending == "json":  # Python 3.12 and later add floats up more exactly
        made, kept = (json.dumps(json.loads(text, parse_float=_rounded, parse_int=_rounded)) for text in (made, kept))
    assert made == kept


def _rounded(number):
    return f"{float(number):.9g}"
