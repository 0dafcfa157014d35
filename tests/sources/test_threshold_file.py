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
        (b"\n\n" + b"[" * 2000, r"limits\.yaml:3: not YAML: more than 20 brackets within each other"),
        (b"{a: " * 3000, r"limits\.yaml:1: not YAML: more than 20 brackets"),
        (b"- " * 3000, r"limits\.yaml: not YAML of limits"),
        (b"a: 1\n{turn_latency: {critical: 5}}:\n", r"limits\.yaml:2: not YAML: a mapping cannot be a key"),
        (b"? [{a: 1}]\n: 1\n", r"limits\.yaml:1: not YAML: a mapping cannot be a key"),
        *(
            (wrong, r"limits\.yaml: not YAML of limits: a tag")
            for wrong in (b"!!set 5", b"!!bool 7", b"!!omap 5", b"!!omap [{{a: 1}: 2}]")
        ),
        (b"\xff", r"is not UTF-8 text \(byte 0\)"),
        (b"a: [", r"limits\.yaml:1: not YAML"),
        (b"speed: {critical: 1}", r"limits\.yaml:1: unknown metric 'speed'"),
        (b"a: 2001-99-99", r"unknown metric|not YAML"),
        (b"[1]", r"has to be a mapping, not"),
        (b"turn_latency: {critical: .nan}", r"has to be a number of at least 0"),
        (
            b"turn_latency:\n  critical: 9" + b"9" * 400,
            r"limits\.yaml:2: turn_latency\.critical .* a number of more than",
        ),
        (b"turn_latency:\n  critical: " + b"9" * 5000, r"limits\.yaml:2: .*4300 digits"),
        (b"turn_latency:\n  critical: 0x" + b"f" * 5000, r"limits\.yaml:2: .* a number of more than 30 digits"),
        (b"success_rate:\n\n  recommended: 101\n", r"limits\.yaml:3: .* from 0 to 100 %, not 101$"),
        (b"token_efficiency: {critical: 1.5}", r"limits\.yaml:1: .* from 0 to 1, not 1\.5$"),
        (b"turn_latency:\n  recommended: 1\n\n  critical: 5s\n", r"limits\.yaml:4: .* at least 0, not '5s'"),
        (b"turn_latency:\n  recommended: 1\n  crit: 5\n", r"limits\.yaml:3: unknown key 'crit'"),
        (b"turn_latency:\n\n  recommended: 9999\n", r"limits\.yaml:3: turn_latency: critical 5000 has to lie above"),
        (b"turn_latency:\n  critical: !!python/name:os.system x\n", r"limits\.yaml:2: .* at least 0, not "),
        (
            b"turn_latency: {critical: 9}\nturn_latency: {critical: 8}\n",
            r"limits\.yaml:2: not YAML: found duplicate key",
        ),
        (b"agents:\n  1: {turn_latency: {critical: 9000}}\n  '1': {}\n", r"limits\.yaml:3: '1' is named twice"),
        (b"agents:\n  null: {}\n", r"limits\.yaml:2: None is no name of one of the agents"),
        (b"agents:\n  a: {}\n  '': {}\n", r"limits\.yaml:3: '' is no name of one of the agents"),
        (rb'models: {"m\ud800": {}}', r"limits\.yaml:1: 'm\\ud800' is no name of one of the models"),
        (b"models: {true: {}}\n", r"limits\.yaml:1: True is no name of one of the models"),
        (b"#" * (yaml_file.MAX_FILE_BYTES + 1), r"more than 262,144 bytes are no file of limits"),
    ],
)
def test_what_is_no_file_of_limits(file, data, told):
    """Each is one sentence with the file, and the line where there is one."""
    with pytest.raises(ConfigurationError, match=told):
        read_thresholds(file(data))


def test_a_rate_may_be_whole(file):
    """100 % and an efficiency of 1 are limits."""
    table = read_thresholds(file(b"success_rate: {recommended: 100}\ntoken_efficiency: {recommended: 1}\n"))
    assert table.default[Metric.SUCCESS_RATE].recommended == 100
    assert table.default[Metric.TOKEN_EFFICIENCY].recommended == 1


def test_a_file_that_is_not_there(tmp_path):
    """The system's words, with the path."""
    with pytest.raises(ConfigurationError, match=r"none\.yaml: cannot be read: No such file"):
        read_thresholds(tmp_path / "none.yaml")
