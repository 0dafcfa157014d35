"""Files of limits: what is taken, and what is told of those that are none."""

import pytest

from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.sources import yaml_file
from agentnet_otel.sources.threshold_file import read_thresholds


@pytest.fixture
def file(tmp_path):
    """Makes a file of bytes."""

    def make(data):
        path = tmp_path / "limits.yaml"
        path.write_bytes(data)
        return path

    return make


def test_limits_for_all_and_for_one_agent(file):
    """What is named replaces the documented limit; an agent's own go before those for all."""
    table = read_thresholds(file(b"turn_latency: {critical: 4000}\nagents:\n  a: {turn_latency: {recommended: 7}}\n"))
    assert table.default[Metric.TURN_LATENCY].critical == 4000
    own = table.agents["a"][Metric.TURN_LATENCY]
    assert (own.recommended, own.critical) == (7, 4000)


def test_a_file_without_limits_changes_nothing(file):
    """Neither an empty one nor one of remarks."""
    assert read_thresholds(file(b"# none\n")) == ThresholdTable()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"a: \0", r"limits\.yaml: not YAML of limits: unacceptable character #x0000"),
        (b"{a: " * 3000, r"limits\.yaml.*: not YAML"),
        (b"\xff", r"is not UTF-8 text \(byte 0\)"),
        (b"a: [", r"limits\.yaml:1: not YAML"),
        (b"speed: {critical: 1}", r"limits\.yaml:1: unknown metric 'speed'"),
        (b"a: 2001-99-99", r"unknown metric|not YAML"),
        (b"[1]", r"has to be a mapping, not"),
        (b"turn_latency: {critical: .nan}", r"has to be a number of at least 0"),
        (b"#" * (yaml_file.MAX_FILE_BYTES + 1), r"more than 262,144 bytes are no file of limits"),
    ],
)
def test_what_is_no_file_of_limits(file, data, told):
    """Each is one sentence with the file, and the line where there is one."""
    with pytest.raises(ConfigurationError, match=told):
        read_thresholds(file(data))


def test_a_file_that_is_not_there(tmp_path):
    """The system's words, with the path."""
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read: No such file"):
        read_thresholds(tmp_path / "none.yaml")
