"""Every reader of what others wrote, on the corpus, on what hypothesis makes of it, and for some time on chance."""

import os
import random

import driver
import make_seeds
import mutations
import pytest
import targets
from hypothesis import given, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("AGENTNET_OTEL_FUZZ_SECONDS") or (60 if os.environ.get("CI") == "true" else 15))
"""For all targets together."""
SEED = int(os.environ.get("AGENTNET_OTEL_FUZZ_SEED") or 1)
"""The same inputs each time, so that no change fails by what it did not touch; `make fuzz` tries new ones."""
RUBBISH = (b"\0", b"\n{", b"}", b"\xff\xfe", b"rubbish\n", b"\x0a\x05\x0a", b"\x1f\x8b")
ENTRIES = [(name, path.name) for name in targets.TARGETS for path in sorted((driver.CORPUS / name).iterdir())]


def assert_fine(name, data, *, measured=False):
    """Nothing is found in an input."""
    error = driver.tried(targets.TARGETS[name], data, measured=measured)
    assert error is None, (name, data[:500], error)


@pytest.mark.parametrize(("name", "entry"), ENTRIES)
def test_the_corpus(name, entry):
    """Seeds and former findings do nothing wrong: whole, cut off anywhere, and with rubbish around them."""
    data = (driver.CORPUS / name / entry).read_bytes()
    assert_fine(name, data, measured=True)
    step = max(1, len(data) // 20)
    for changed in [*(data[:end] for end in range(0, len(data), step)), *(data + more for more in RUBBISH)]:
        assert_fine(name, changed)
    assert_fine(name, RUBBISH[4] + data)


def test_each_target_has_seeds():
    """The seeds of the corpus are what the script makes."""
    for name, made in make_seeds.seeds().items():
        kept = {path.name.removeprefix("seed-") for path in (driver.CORPUS / name).glob("seed-*")}
        assert kept == set(made)
    assert make_seeds.seeds().keys() == targets.TARGETS.keys()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_what_hypothesis_makes(name):
    """Any bytes, and any entry of the corpus with any bytes in place of any part."""
    corpus = driver.corpus_of(name)

    @settings(max_examples=40)
    @given(st.data())
    def holds(data):
        given_bytes = data.draw(st.binary(max_size=64))
        entry = data.draw(st.sampled_from([b"", *corpus]))
        begin = data.draw(st.integers(0, len(entry)))
        end = data.draw(st.integers(begin, len(entry)))
        assert_fine(name, entry[:begin] + given_bytes + entry[end:])

    holds()


@pytest.mark.slow
@pytest.mark.repetitive
@pytest.mark.parametrize("name", targets.TARGETS)
def test_for_some_time(name):
    """Inputs made by chance, for the time that is given, find nothing; what they find is kept in the corpus."""
    seconds = SECONDS / len(targets.TARGETS)
    tries, findings = driver.fuzzed(name, targets.TARGETS[name], seconds, random.Random(f"{SEED} {name}"))
    assert tries
    assert not [(str(driver.keep(found)), found.what, found.trace) for found in findings], f"seed {SEED}"


def test_the_same_seed_makes_the_same_inputs():
    """A finding can be had again."""
    corpus = driver.corpus_of("file")
    made = [mutations.mutated(corpus[-1], corpus, random.Random(number)) for number in range(50)]
    assert made == [mutations.mutated(corpus[-1], corpus, random.Random(number)) for number in range(50)]
    assert len(set(made)) > 40


def raises(data):
    """A reader that is wrong about one byte."""
    if b"{" in data:
        raise KeyError("{")
    if data:
        raise ValueError(data[:1])


def hangs(data):
    """One that does not come to an end."""
    while data:
        pass


def is_greedy(data):
    """One that makes room for what its input announces."""
    return len(b"\0" * (30 * 1024 * 1024 if data else 0))


@pytest.mark.parametrize(
    ("wrong", "what", "smallest"),
    [(raises, {KeyError, ValueError}, 1), (hangs, {driver.HangError}, 1), (is_greedy, {driver.GreedyError}, 1)],
)
def test_the_driver_finds_what_is_wrong(monkeypatch, wrong, what, smallest):
    """An error that is none of ours, a hang and greed are found, and made as small as they get."""
    monkeypatch.setattr(driver, "HANG_S", 0.05 if wrong is hangs else 5.0)
    monkeypatch.setattr(driver, "MEASURED_SHARE", 1.0)
    monkeypatch.setattr(driver, "MINIMISE_S", 1.0)
    _, findings = driver.fuzzed("json_request", wrong, 1.0, random.Random(1))
    assert {kind.__name__ for kind in what} >= {found.what.partition(":")[0].rpartition(".")[2] for found in findings}
    assert findings
    if wrong is not hangs:
        assert all(len(found.data) == smallest for found in findings)
