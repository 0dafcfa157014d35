"""A sorted sequence in little memory is the sorted sequence."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.sorted_runs import SortedRuns

NUMBERS = st.one_of(
    st.floats(allow_nan=False), st.integers(0, 5).map(float), st.sampled_from([-0.0, 0.0, 5e-324, float("inf")])
)


@given(numbers=st.lists(NUMBERS), more=st.lists(NUMBERS), run=st.integers(1, 9))
def test_it_is_what_sorting_gives(numbers, more, run):
    """At each place, from either end, in slices, and again when more were appended."""
    runs = SortedRuns(run)
    seen = []
    for some in (numbers, more):
        for number in some:
            runs.append(number)
        seen += some
        assert list(runs) == sorted(seen)
        assert len(runs) == len(seen)
        assert runs[1:-1:2] == sorted(seen)[1:-1:2]
        assert [runs[-place] for place in range(1, len(seen) + 1)] == sorted(seen, reverse=True)


@pytest.mark.parametrize("place", [3, -4])
def test_there_is_nothing_beyond_its_ends(place):
    """As of a list."""
    runs = SortedRuns(2)
    for number in (3.0, 1.0, 2.0):
        runs.append(number)
    with pytest.raises(IndexError):
        runs[place]
    with pytest.raises(IndexError):
        SortedRuns()[0]


def test_a_number_takes_eight_bytes():
    """Also while one at a place is looked for."""
    many = 400_000
    tracemalloc.start()
    try:
        runs = SortedRuns()
        for number in range(many):
            runs.append(float(number * 7919 % many))
        assert runs[many // 2] == many // 2
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * many + 4_000_000
