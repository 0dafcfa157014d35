"""Baselines: the file, the comparison, its error rates."""

import json
import math
import random

import jsonschema
import pytest

from agentnet_otel.core.regression import Change, ComparedMetric
from agentnet_otel.core.statistics import wilson_interval
from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.model import Outcome, TokenUsage, Turn
from agentnet_otel.performance import baseline as module
from agentnet_otel.performance.baseline import Baseline
from agentnet_otel.performance.benchmark import BenchmarkConfig, BenchmarkResult, BenchmarkType
from agentnet_otel.performance.samples import OperationSample

PAIRS = 1000


def turn(number=0, ms=100.0, agent="planner", models=("m-large",), **facts):
    """A turn."""
    return Turn(
        turn_id=f"t{number}",
        trace_id="1" * 32,
        span_id=format(number + 1, "016x"),
        agent=agent,
        models=models,
        start_ns=0,
        end_ns=round(ms * 1e6),
        **{"outcome": Outcome.SUCCESS, **facts},
    )


def whole(draw, n=50, slow=1.0, sessions=None, alike=0.0):
    """A whole baseline: all metrics vary, latency log-normal with sigma .2, of which a share is the session's."""
    own, between = (0.2 * math.sqrt(share) for share in (1 - alike, alike))
    centres = [draw.gauss(0, between) for _ in range(sessions or 0)]
    turns = []
    for place in range(n):
        session = place % sessions if sessions else None
        centre = 0.0 if session is None else centres[session]
        turns.append(
            turn(
                place,
                800 * slow * math.exp(centre + draw.gauss(0, own)),
                outcome=Outcome.ERROR if draw.random() < 0.04 else Outcome.SUCCESS,
                tokens=TokenUsage(input=round(draw.lognormvariate(6, 0.2)), output=round(draw.lognormvariate(4, 0.2))),
                cost_usd=draw.lognormvariate(-5, 0.2),
                session=None if session is None else f"s{session}",
            )
        )
    return Baseline.of_turns(turns)


def alarms(draw, slow=1.0, **sides):
    """In how many of `PAIRS` pairs something is a regression, and in how many latency is."""
    found = [whole(draw, **sides).compare(whole(draw, slow=slow, **sides)).regressions for _ in range(PAIRS)]
    latency = sum(any(row.metric is ComparedMetric.TURN_LATENCY for row in rows) for rows in found)
    return sum(map(bool, found)), latency


@pytest.mark.slow
@pytest.mark.repetitive
def test_false_alarms_are_rare():
    """Two baselines of the same thing: at most 1 % of 1,000 pairs give an alarm, all metrics together."""
    assert alarms(random.Random(1))[0] <= PAIRS / 100


@pytest.mark.slow
@pytest.mark.repetitive
def test_a_slowdown_of_a_fifth_is_found():
    """20 % slower at n = 50 with sigma .2 is called in at least 95 % of 1,000 pairs."""
    assert alarms(random.Random(2), slow=1.2)[1] >= 0.95 * PAIRS


@pytest.mark.slow
@pytest.mark.repetitive
def test_turns_that_are_alike_within_sessions_give_no_more_false_alarms():
    """10 sessions of 5 turns that share 30 % of the variance: 1 % still holds, where independent turns give 4 %."""
    found, _ = alarms(random.Random(3), sessions=10, alike=0.3)
    assert found <= PAIRS / 100


@pytest.mark.slow
@pytest.mark.repetitive
def test_sessions_that_do_not_matter_cost_little():
    """10 sessions of 5 independent turns: the slowdown is still found in 93 %, give or take chance."""
    _, found = alarms(random.Random(4), slow=1.2, sessions=10)
    assert wilson_interval(found, PAIRS).high >= 0.93


def test_what_is_saved_is_what_is_loaded(tmp_path):
    """All fields, into folders that are not there yet; nothing else is left in the folder."""
    made = Baseline.of_turns(
        [
            turn(0, session="a", tokens=TokenUsage(input=3, output=4), cost_usd=0.25),
            turn(1, outcome=Outcome.CANCELLED),
            turn(2, agent="critic", models=(), session="a"),
        ],
        environment={"python": "3.11.4"},
        name="nightly",
    )
    path = tmp_path / "deep" / "er" / "baseline.json"
    made.save(path)
    made.save(path)
    assert Baseline.load(path) == made
    assert [entry.name for entry in path.parent.iterdir()] == ["baseline.json"]
    assert made.agents == {"planner": 2, "critic": 1}
    assert made.models == {"m-large": 2}
    assert made.created_ns == 100_000_000


def test_the_file_is_as_its_published_schema_says(tmp_path, repository):
    """Everything that a baseline may hold fits the schema, and the schema refuses what a reader would refuse."""
    schema = json.loads((repository / "docs" / "schemas" / "baseline.schema.json").read_bytes())
    check = jsonschema.Draft202012Validator(schema)
    path = tmp_path / "b.json"
    whole(random.Random(1), sessions=3).save(path)
    document = json.loads(path.read_bytes())
    check.validate(document)
    Baseline.of_turns([]).save(path)
    check.validate(json.loads(path.read_bytes()))
    assert set(document) == set(schema["properties"])
    assert set(document["samples"][0]) == set(schema["properties"]["samples"]["items"]["properties"])
    document["samples"][0]["latency_ms"] = -1
    assert not check.is_valid(document)


def test_the_file_names_no_session(tmp_path):
    """Which turns belong together is kept, what the session is called is not."""
    path = tmp_path / "b.json"
    Baseline.of_turns([turn(0, session="jane@x"), turn(1), turn(2, session="jane@x"), turn(3, session="other")]).save(
        path
    )
    assert "jane" not in path.read_text(encoding="utf-8")
    assert [row["session"] for row in json.loads(path.read_bytes())["samples"]] == [0, None, 0, 1]


def test_of_many_turns_a_sample_is_kept_and_told():
    """Above the bound turns are drawn evenly, in their order, the same ones each time; the file says of how many."""
    turns = [turn(place, ms=1.0 + place) for place in range(module.MAX_SAMPLES + 5000)]
    made = Baseline.of_turns(turns)
    kept = [row.latency_ms for row in made.samples]
    assert made.turns == len(turns)
    assert len(kept) == module.MAX_SAMPLES
    assert kept == sorted(kept)
    assert sum(kept) / len(kept) == pytest.approx(len(turns) / 2, rel=0.05)
    assert Baseline.of_turns(turns) == made


def test_names_are_bounded():
    """Of very many agents the most frequent are kept, and of a very long name its beginning."""
    turns = [turn(place, agent=f"{place % 150}-" + "x" * 100_000) for place in range(300)]
    made = Baseline.of_turns(turns)
    assert len(made.agents) == module.MAX_NAMES
    assert max(map(len, made.agents)) == module.MAX_NAME_LENGTH


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no baseline: Input data was truncated"),
        ("[1]", "is no baseline: Expected `object`, got `array`"),
        ("{}", "its `kind` is not 'agentnet-otel baseline'"),
        ('{"kind": "agentnet-otel baseline", "schema_version": 2}', "is a baseline of schema version 2"),
        ('{"kind": "agentnet-otel baseline", "schema_version": "1"}', "Expected `int`, got `str`"),
        ('{"kind": "agentnet-otel baseline", "schema_version": 1}', "is a damaged baseline: Object missing required"),
        ('{"deep": ' + "[" * 100_000, "is no baseline: maximum recursion depth exceeded"),
    ],
)
def test_a_file_that_is_no_baseline_is_told_in_one_sentence(tmp_path, text, says):
    """The file, what is wrong with it, and how to make a right one."""
    path = tmp_path / "b.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Baseline.load(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "--save-baseline FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["-1", '"fast"', "NaN", "1e999"])
def test_an_impossible_figure_is_named_with_its_place(tmp_path, value):
    """A figure that no turn can have makes the file damaged; the text has its place, where JSON allows one."""
    path = tmp_path / "b.json"
    Baseline.of_turns([turn()]).save(path)
    path.write_text(path.read_text().replace('"latency_ms":100.0', f'"latency_ms":{value}'), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="baseline"):
        Baseline.load(path)


def test_bytes_that_are_no_text_are_told(tmp_path):
    """A binary file is no baseline."""
    path = tmp_path / "b.json"
    path.write_bytes(b'{"kind":"\xff\xfe"}')
    with pytest.raises(ConfigurationError, match="is no baseline"):
        Baseline.load(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    """No baseline is so large."""
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10)
    path = tmp_path / "x.json"
    path.write_text(" " * 11)
    with pytest.raises(ConfigurationError, match=r"is no baseline: it has more than 10 bytes"):
        Baseline.load(path)


def test_files_that_cannot_be_read_or_written_are_told(tmp_path):
    """A missing file, and a folder that is a file."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        Baseline.load(tmp_path / "none.json")
    (tmp_path / "file").touch()
    with pytest.raises(BackendError, match="cannot be written"):
        Baseline.of_turns([]).save(tmp_path / "file" / "b.json")


def test_another_environment_is_told():
    """What differs is named with both values, load is no mismatch, and agents and models count too."""
    before = Baseline.of_turns(
        [turn(agent="a"), turn(1, models=("old",))], environment={"python": "3.11", "load_1min": "0.1", "cpu": "x"}
    )
    now = Baseline.of_turns([turn(models=("new",))], environment={"python": "3.12", "load_1min": "3.0", "os": "linux"})
    assert before.compare(now).mismatches == (
        "cpu is unknown, in the baseline x",
        "os is linux, in the baseline unknown",
        "python is 3.12, in the baseline 3.11",
        "agents in the baseline only: a",
        "models in the baseline only: m-large, old",
        "models that the baseline does not have: new",
    )
    assert before.compare(before).mismatches == ()


def test_an_unknown_environment_is_told():
    """Where a side tells none, it is named."""
    known, unknown = Baseline.of_turns([turn()], environment={"python": "3.11"}), Baseline.of_turns([turn()])
    assert known.compare(unknown).mismatches == (
        "the environment of the turns compared with it is not known: whether it is the same cannot be told",
    )
    assert unknown.compare(known).mismatches[0].startswith("the environment of the baseline is not known")
    assert "of the baseline and of the turns" in unknown.compare(unknown).mismatches[0]


def test_long_lists_of_names_are_cut():
    """Five names, and how many more."""
    before = Baseline.of_turns([turn(place, agent=f"a{place}") for place in range(8)], environment={"a": "b"})
    now = Baseline.of_turns([turn(agent="a0")], environment={"a": "b"})
    assert before.compare(now).mismatches == ("agents in the baseline only: a1, a2, a3, a4, a5 and 2 more",)


def test_turns_can_be_compared_as_they_are():
    """`compare` takes turns, baselines and results of benchmarks."""
    draw = random.Random(5)
    before = [turn(place, 100 * draw.lognormvariate(0, 0.2)) for place in range(40)]
    now = [turn(place, 200 * draw.lognormvariate(0, 0.2)) for place in range(40)]
    found = Baseline.of_turns(before).compare(now)
    assert [row.metric for row in found.regressions] == [ComparedMetric.TURN_LATENCY]
    assert found.metrics[0].ratio.value == pytest.approx(2.0, rel=0.2)
    assert not Baseline.of_turns(before).compare(now, factor=3.0).regressions


def result(samples=(), turns=(), **facts):
    """A result of a benchmark with these raw samples."""
    return BenchmarkResult(
        BenchmarkConfig("bench", BenchmarkType.MULTI_TURN), 10.0, 20.0, 10.0, *[0.0] * 4, 0, 0.0, 0.0, 0, 0, 0, 0.0,
        0.0, 0.0, samples=list(samples), turns=list(turns), **facts,
    )  # fmt: skip


def operation(iteration, outcome=Outcome.SUCCESS, latencies=(100.0, 300.0), **facts):
    """An operation of two turns."""
    return OperationSample(
        iteration=iteration,
        scheduled_ns=0,
        start_ns=0,
        service_ms=400.0,
        response_ms=400.0,
        outcome=outcome,
        turns=max(1, len(latencies)),
        turn_latencies_ms=latencies,
        **facts,
    )


def test_a_benchmark_is_a_baseline():
    """Each turn of each operation counts; those of one operation belong together and share its tokens and cost."""
    made = Baseline.of_benchmark(
        result(
            [
                operation(0, tokens=TokenUsage(input=6, output=4), cost_usd=0.5),
                operation(1, outcome=Outcome.TIMEOUT, latencies=()),
            ],
            turns=[turn()],
            environment={"python": "3.11"},
        )
    )
    assert [(row.latency_ms, row.tokens, row.cost_usd, row.session) for row in made.samples] == [
        (100.0, 5.0, 0.25, 0),
        (300.0, 5.0, 0.25, 0),
        (None, None, None, None),
    ]
    assert (made.turns, made.name, made.created_ns) == (3, "bench", 20_000_000_000)
    assert (made.agents, made.environment) == ({"planner": 1}, {"python": "3.11"})


def test_failures_without_a_turn_are_a_regression():
    """Operations that failed before any agent spoke have no latency, but they failed."""
    good = result(operation(place, session=f"c{place}") for place in range(40))
    bad = result(
        operation(place, *([Outcome.ERROR, ()] if place % 2 else []), session=f"c{place}") for place in range(40)
    )
    found = Baseline.of_benchmark(good).compare(bad)
    assert [row.metric for row in found.regressions] == [ComparedMetric.SUCCESS_RATE]
    assert found.metrics[0].change is Change.UNCHANGED


def test_a_result_without_samples_gives_its_turns():
    """A result that somebody put together by hand has turns at least."""
    assert Baseline.of_benchmark(result(turns=[turn()])).turns == 1
