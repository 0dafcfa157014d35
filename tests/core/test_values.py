"""Attribute values that others wrote."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentnet_otel.core import values
from agentnet_otel.core.efficiency import quality_of, token_efficiency
from agentnet_otel.core.reconstruction import first_token_ns
from agentnet_otel.model import QualitySource, TokenUsage


@pytest.mark.parametrize(
    ("read", "given", "expected"),
    [
        (values.text, 5, "5"),
        (values.text, True, None),
        (values.text, "", None),
        (values.count, 3.0, 3),
        (values.count, 3.5, None),
        (values.count, 2**63 - 1, 2**63 - 1),
        (values.count, 2**63, None),
        (values.count, "99999999999999999999999", None),
        (values.amount, 1e300, None),
        (values.number, "1e3", 1000.0),
        (values.number, "x", None),
        (values.number, float("inf"), None),
        (values.amount, -1, None),
        (values.ratio, 1, 1.0),
        (values.ratio, 1.1, None),
        (values.flag, "TRUE", True),
        (values.flag, 1, False),
    ],
)
def test_values(read, given, expected):
    """Each reader takes what makes sense and nothing else."""
    assert read(given) == expected


@given(st.datetimes(timezones=st.timezones()))
def test_moments_are_those_of_the_calendar(moment):
    """Whatever the zone (its offsets in whole minutes), as the standard library reads them."""
    offset = moment.utcoffset()
    assume(offset is not None and not offset % timedelta(minutes=1))
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert values.moment_ns(moment.isoformat()) == since // timedelta(microseconds=1) * 1_000


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01 00:00:00,5", 500_000_000),
        ("1970-01-01T00:00:00.1234567891+0000", 123_456_789),
        ("1970-01-01", None),
        ("soon", None),
        (5, None),
    ],
)
def test_moments_in_words(written, expected):
    """In UTC where no zone is named; what is no moment is unknown."""
    assert values.moment_ns(written) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, None), (0.25, 250_000_000), (0.0, 0), (9.2e9, 9_200_000_000_000_000_000), (9.3e9, None), (1e300, None)],
)
def test_seconds_as_nanoseconds(seconds, expected):
    """What 64 bits of nanoseconds do not hold is unknown, and no overflow."""
    assert values.nanoseconds(seconds) == expected


def test_a_first_token_beyond_time_is_unknown():
    """Neither what a turn says nor what its calls say may be more than a store can hold; the next best is taken."""
    assert first_token_ns(1e300, [(5, None), (7, 1e300), (9, 1.0)]) == 1_000_000_009
    assert first_token_ns(1e300, [(7, 1e300)]) is None
    assert first_token_ns(None, [(values.LARGEST, 1.0)]) is None
    assert first_token_ns(None, [(-5, 1e-9)]) == 0


def test_efficiency_is_the_documented_formula():
    """.5 effective/total + .3 quality + .2 speed, the speed capped at 100 tokens a second."""
    tokens = TokenUsage(input=100, output=100)
    assert token_efficiency(tokens=tokens, quality=0.8, duration_ns=10**9) == pytest.approx(0.5 * 0.4 + 0.24 + 0.2)
    assert token_efficiency(tokens=tokens, quality=0.8, duration_ns=10**10) == pytest.approx(0.2 + 0.24 + 0.04)
    assert token_efficiency(tokens=tokens, quality=1.0, duration_ns=0) == pytest.approx(0.55)
    assert token_efficiency(tokens=TokenUsage(), quality=1.0, duration_ns=1) is None
    assert token_efficiency(tokens=TokenUsage(input=0), quality=1.0, duration_ns=1) is None


def test_quality_is_evaluated_else_confidence_else_assumed():
    """The best source that there is."""
    assert quality_of(0.4, 0.9) == (0.4, QualitySource.EVALUATED)
    assert quality_of(None, 0.9) == (0.9, QualitySource.CONFIDENCE)
    assert quality_of(None, None) == (0.8, QualitySource.ASSUMED)
