"""What a gate in CI says, in the forms that CI servers read: JUnit XML, annotations and a summary of GitHub Actions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from agentnet_otel.core.regression import Change, Comparison
from agentnet_otel.core.statistics import MIN_MEAN_N
from agentnet_otel.core.thresholds import Verdict
from agentnet_otel.core.verdicts import Judgement, worst
from agentnet_otel.outputs.reports.comparisons import (
    LABELS,
    comparison_remarks,
    evidence_text,
    p_text,
    ratio_text,
    side_text,
)
from agentnet_otel.outputs.reports.wording import (
    interval_text,
    label_text,
    limit_text,
    plain,
    shortened,
    value_text,
    verdict_text,
)

_UNTESTED: Final = frozenset({Change.INSUFFICIENT, Change.NO_DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What was judged. ``command``: check or bench; ``missed``: sentences on own limits that are not kept."""

    command: str
    verdicts: Sequence[Judgement]
    comparisons: Sequence[tuple[str, Comparison]]
    turns: int
    code: int
    missed: Sequence[str] = ()

    @property
    def too_few(self) -> bool:
        """Whether a side has fewer turns than a verdict needs."""
        return self.turns < MIN_MEAN_N or any(comparison.too_few for _, comparison in self.comparisons)


def annotations(gate: Gate) -> Iterator[str]:
    """Workflow commands: errors for what fails the gate, warnings for what is past a recommended limit or uncertain."""
    for row in gate.verdicts:
        if row.verdict in {Verdict.FAIL, Verdict.WARN}:
            kind = "error" if row.verdict is Verdict.FAIL else "warning"
            yield _command(kind, f"{_label(row)}: {row.verdict.value}", _judged(row))
    for text in gate.missed:
        yield _command("error", "Limit not kept", text)
    for name, comparison in gate.comparisons:
        for metric in comparison.regressions:
            yield _command("error", f"Regression: {_of(LABELS[metric.metric], name)}", evidence_text(metric))
        for remark in comparison_remarks(comparison):
            yield _command("warning", _of("Comparison", name), remark)
    if gate.turns < MIN_MEAN_N:
        yield _command("warning", "Few turns", _few(gate))


def summary(gate: Gate) -> str:
    """Markdown for the summary of a job."""
    from agentnet_otel.outputs.reports.markdown import escaped  # noqa: PLC0415 - nobody else here needs reports

    lines = [f"## agentnet-otel {gate.command}: {_outcome(gate)}", "", f"{gate.turns:,} turns.", ""]
    lines += ["| Metric | Value | 95 % interval | Recommended | Critical | Verdict |", "|---|---|---|---|---|---|"]
    for row in gate.verdicts:
        threshold = row.threshold
        cells = (
            escaped(_label(row)),
            value_text(row.value, threshold),
            interval_text(row.interval, threshold),
            limit_text(threshold.recommended, threshold),
            limit_text(threshold.critical, threshold),
            verdict_text(row),
        )
        lines.append(f"| {' | '.join(cells)} |")
    for name, comparison in gate.comparisons:
        lines += ["", f"### {escaped(_of('Compared with the baseline', name))}", ""]
        lines += ["| Metric | Baseline | Now | Ratio | p | Change |", "|---|---|---|---|---|---|"]
        for metric in comparison.metrics:
            before, now = (side_text(metric.metric, side) for side in (metric.baseline, metric.current))
            figures = (before, now, ratio_text(metric.ratio), p_text(metric.p_value), metric.change.value)
            lines.append(f"| {LABELS[metric.metric]} | {' | '.join(figures)} |")
        told = [evidence_text(metric) for metric in comparison.regressions] + comparison_remarks(comparison)
        lines += ["", *(f"- {escaped(text)}" for text in told)] if told else []
    lines += ["", *(f"- {escaped(text)}" for text in gate.missed)] if gate.missed else []
    return "\n".join(lines) + "\n"


def junit(gate: Gate) -> str:
    """JUnit XML: a test case a verdict, a limit and a compared metric."""
    cases = list(_cases(gate))
    failed, skipped = (sum(f"<{tag}" in case for case in cases) for tag in ("failure", "skipped"))
    name = _attribute(f"agentnet-otel {gate.command}")
    counts = f'tests="{len(cases)}" failures="{failed}" errors="0"'  # the outer element has no place for skipped ones
    inner = f'<testsuite name={name} {counts} skipped="{skipped}">'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>", inner]
    return "\n".join([*lines, *cases, "</testsuite>", "</testsuites>"]) + "\n"


def _cases(gate: Gate) -> Iterator[str]:
    for row in gate.verdicts:
        told = _judged(row)
        match row.verdict:
            case Verdict.FAIL:
                yield _case("limits", _label(row), "failure", told)
            case Verdict.NO_DATA:
                yield _case("limits", _label(row), "skipped", "no turn tells it")
            case _:
                yield _case("limits", _label(row), "system-out", told)
    for text in gate.missed:
        yield _case("own limits", text, "failure", text)
    for name, comparison in gate.comparisons:
        for metric in comparison.metrics:
            kind = "failure" if metric.change is Change.REGRESSION else "system-out"
            kind = "skipped" if metric.change in _UNTESTED else kind
            yield _case(_of("baseline", name), LABELS[metric.metric], kind, evidence_text(metric))
    yield _case(
        "data", f"at least {MIN_MEAN_N} turns on a side", "failure" if gate.too_few else "system-out", _few(gate)
    )


def _case(group: str, name: str, kind: str, text: str) -> str:
    head = f"<testcase classname={_attribute(f'agentnet-otel.{group}')} name={_attribute(name)}>"
    body = f"<{kind}>{escape(_legal(text), quote=False)}</{kind}>"
    if kind != "system-out":
        body = f"<{kind} message={_attribute(text)}></{kind}>"
    return f"{head}{body}</testcase>"


def _attribute(text: str) -> str:
    return f'"{escape(_legal(text))}"'


def _legal(text: str) -> str:
    """Text on one line without what XML has no place for."""
    return "".join("\ufffd" if character in "\ufffe\uffff" else character for character in plain(text))


def _command(kind: str, title: str, text: str) -> str:
    """A workflow command; what would end it or its title is encoded as such commands want it."""
    body = plain(text).replace("%", "%25")
    head = plain(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={head}::{body}"


def _label(row: Judgement) -> str:
    """What a row is about; a name of 100 kB in it would be refused, or hide what else is told."""
    return shortened(label_text(row))


def _judged(row: Judgement) -> str:
    threshold = row.threshold
    interval = interval_text(row.interval, threshold)
    return (
        f"{_label(row)} is {value_text(row.value, threshold)} (95 % interval {interval}, n = {row.n:,}); "
        f"recommended {limit_text(threshold.recommended, threshold)}, critical "
        f"{limit_text(threshold.critical, threshold)}: {verdict_text(row)}"
    )


def _outcome(gate: Gate) -> str:
    if worst(gate.verdicts) is Verdict.FAIL or gate.missed:
        return "a critical limit is passed"
    if any(comparison.regressions for _, comparison in gate.comparisons):
        return "worse than the baseline"
    return "too few turns" if gate.too_few else "fine"


def _few(gate: Gate) -> str:
    return f"{gate.turns:,} turns; a verdict needs {MIN_MEAN_N} on each side"


def _of(what: str, name: str) -> str:
    return f"{what} ({shortened(name)})" if name else what
