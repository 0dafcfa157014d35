"""What `doctor --prometheus` tells: whether our series, labels and rules are there, and what to change where not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.catalogue import RuleOptions
from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE, edge
from agentnet_otel.outputs.rules.recordings import bucket_edges
from agentnet_otel.outputs.rules.scopes import scopes
from agentnet_otel.outputs.rules.windows import FEW_TURNS, QUIET
from agentnet_otel.sources.prometheus_api import PrometheusApi, PromSample
from agentnet_otel.wiring.loaded_rules import missing_alerts, native, other_rules

MAX_RESETS: Final = 20
"""Counters that start anew more often within an hour are deltas, or the page of several processes."""
MAX_NAMED: Final = 5
ZERO_INGESTION: Final = "created-timestamp-zero-ingestion"
NATIVE_DELTAS: Final = "otlp-native-delta-ingestion"
_MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found; ``change`` is empty where nothing is to change."""

    what: str
    change: str = ""


def examine(api: PrometheusApi, table: ThresholdTable) -> list[Finding]:
    """Look at a Prometheus.

    Raises:
        BackendError: it does not answer.
    """
    checks: tuple[Callable[[PrometheusApi, ThresholdTable], Iterator[Finding]], ...] = (
        _services,
        _buckets,
        _resets,
        _deltas,
        _writers,
        _start_times,
        _rules,
        _traffic,
        _efficiency,
        _costs,
        _owners,
    )
    if not api.query(f"count({series.TURNS})"):
        return [_nothing_there(api), *_rules(api, table)]
    return [finding for check in checks for finding in check(api, table)]


def _nothing_there(api: PrometheusApi) -> Finding:
    other = api.query(f'count by (__name__) ({{__name__=~"{semconv.METRIC_TURNS}.*|agentnet_turns"}})')
    if other:
        return Finding(
            what=f"{series.TURNS} is not there, but {other[0].labels.get('__name__', '')} is: other names are made",
            change=(
                "set otlp.translation_strategy: UnderscoreEscapingWithSuffixes in Prometheus, or in the Collector's "
                "exporter."
            ),
        )
    return Finding(
        what=f"no series {series.TURNS}",
        change=(
            "let Prometheus scrape handle.prometheus(), or send metrics by OTLP; then let a turn end. Whoever sends by "
            "OTLP must send cumulative values (unset OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE), for deltas "
            "are refused."
        ),
    )


def _services(api: PrometheusApi, _table: ThresholdTable) -> Iterator[Finding]:
    found = api.query(f"count by ({SERVICE}) ({series.TURNS})")
    named = sorted(one.labels[SERVICE] for one in found if one.labels.get(SERVICE))
    if named:
        yield Finding(what=f"turns of the services {_listed(named)}")
    if len(named) < len(found):
        yield Finding(
            what=f"there are series without {SERVICE}: the rules take the service from job",
            change="set otlp.promote_resource_attributes: [service.name] in Prometheus: dashboards choose by it.",
        )


def _buckets(api: PrometheusApi, table: ThresholdTable) -> Iterator[Finding]:
    bucket = f"{series.DURATION}_bucket"
    if not api.query(f"count({bucket})"):
        yield _without_buckets(api, bucket)
        return
    if _native_rules(api):
        yield Finding(
            what="the rules are for native histograms, and latency comes as classic ones: its alerts can never fire",
            change="write the rules without --native.",
        )
    for edge_s in _edges(table):
        if not api.query(f"count({bucket}{{{edge(edge_s)}}})"):
            yield Finding(
                what=f"no bucket of {bucket} ends at {edge_s:g} s: its latency alert can never fire",
                change="take away the view that sets other bucket edges.",
            )
    spellings = {one.labels.get("le", "") for one in api.query(f'count by (le) ({bucket}{{le=~"5(\\\\.0)?"}})')}
    yield Finding(what=f"le is printed as {' and as '.join(sorted(spellings)) or 'nothing known'}; both are matched")


def _without_buckets(api: PrometheusApi, bucket: str) -> Finding:
    if not api.query(f"histogram_count(sum({series.DURATION}))"):
        return Finding(what=f"no series {bucket}", change="look whether a view or the Collector drops histograms.")
    change = "" if _native_rules(api) else "write the rules with --native."
    return Finding(what="latency comes as native histograms", change=change)


def _native_rules(api: PrometheusApi) -> bool:
    """Whether the rules on latency are those for native histograms."""
    return native(api.rules() or [], series.DURATION)


def _resets(api: PrometheusApi, _table: ThresholdTable) -> Iterator[Finding]:
    found = api.query(f"max by ({SERVICE}) (resets({series.TURNS}[1h])) > {MAX_RESETS}")
    if found:
        yield Finding(
            what=f"counters of {_whose(found)} start anew all the time: deltas, or several processes at one address",
            change="unset OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE; give each worker its own port, or push.",
        )


def _deltas(api: PrometheusApi, _table: ThresholdTable) -> Iterator[Finding]:
    """Deltas that are stored as they come make rules and dashboards, which ask for increases, wrong without a sign."""
    if NATIVE_DELTAS in (api.flags() or {}).get("enable-feature", "").split(","):
        yield Finding(
            what="deltas are stored as they come: whoever sends such is counted wrong",
            change=f"enable otlp-deltatocumulative in place of {NATIVE_DELTAS}, or send cumulative values.",
        )


def _writers(api: PrometheusApi, _table: ThresholdTable) -> Iterator[Finding]:
    each = f'count by ({SERVICE}, {AGENT}, job) ({series.TURNS}{{{SERVICE}!=""}})'
    found = api.query(f"count by ({SERVICE}, {AGENT}) ({each}) > 1")
    if found:
        yield Finding(
            what=f"turns of {_whose(found)} come from more than one job: they may count twice",
            change="keep one path out of each process, and serve --metrics auto.",
        )


def _start_times(api: PrometheusApi, _table: ThresholdTable) -> Iterator[Finding]:
    """Series that began within the hour have a zero at their start where their start time is known."""
    flags = api.flags()
    if flags is None:
        yield Finding(what="this server does not tell its flags: whether start times are used, new series show")
    elif ZERO_INGESTION not in flags.get("enable-feature", ""):
        yield Finding(
            what="start times are not used: the first failure of a new series does not count",
            change=f"start Prometheus with --enable-feature={ZERO_INGESTION}.",
        )
        return
    each = f"min_over_time({series.TURNS}[1h]) > 0 unless {series.TURNS} offset 1h"
    found = api.query(f"count by ({SERVICE}, job) ({each})")
    if found:
        yield Finding(
            what=f"new series of {_whose(found)} come without their start times: their first failures do not count",
            change=(
                "let Prometheus scrape OpenMetrics (no scrape_protocols or fallback to text, and _created samples on "
                "the page), or send by OTLP."
            ),
        )


def _rules(api: PrometheusApi, table: ThresholdTable) -> Iterator[Finding]:
    loaded = api.rules()
    if loaded is None:
        yield Finding(what="this server does not tell its rules: look yourself whether they are loaded")
        return
    missing, count = missing_alerts(loaded, table)
    yield Finding(
        what=f"{count - len(missing)} of {count} alerts are loaded"
        + (f"; missing: {_listed(missing)}" if missing else ""),
        change="write them with agentnet-otel rules -o FILE, and name the file under rule_files." if missing else "",
    )
    different, twice = other_rules(loaded, RuleOptions(table=table, native=native(loaded, series.DURATION)))
    if different:
        yield Finding(
            what=f"rules are loaded that these limits, or this version, do not make: {_listed(different)}",
            change="write them anew with agentnet-otel rules; give both commands the same --thresholds.",
        )
    if twice:
        yield Finding(
            what=f"rules are loaded more than once: {_listed(twice)}",
            change="name one file with them under rule_files.",
        )
    for rule in loaded:
        if rule.error and "agentnet" in rule.name.lower():
            yield Finding(what=f"rule {rule.name} fails: {rule.error}", change="make the rules anew.")


def _traffic(api: PrometheusApi, _table: ThresholdTable) -> Iterator[Finding]:
    turns = f"sum by ({SERVICE}, {AGENT}) (increase({series.TURNS}[{QUIET.long}]))"
    found = api.query(f"{turns} < {FEW_TURNS}")
    if found:
        yield Finding(
            what=f"fewer than {FEW_TURNS} turns in {QUIET.long}: {_whose(found)}. Their alerts on limits cannot fire",
            change="judge these by agentnet-otel check, over a day or more.",
        )


def _costs(api: PrometheusApi, _table: ThresholdTable) -> Iterator[Finding]:
    if not api.query(f"count({series.COST}_count)") and not api.query(f"count({series.COST})"):
        yield Finding(
            what="no turn has a cost: the alerts on it can never fire",
            change="install the extra prices in the applications, or tell it by turn.record_cost.",
        )


def _owners(api: PrometheusApi, table: ThresholdTable) -> Iterator[Finding]:
    """Limits of agents and models that there are not."""
    for what, named, key in (("agents", table.agents, AGENT), ("models", table.models, MODEL)):
        seen = {one.labels.get(key) for one in api.query(f"count by ({key}) ({series.TURNS})")} if named else set()
        unseen = sorted(set(named) - seen)
        if unseen:
            yield Finding(
                what=f"there are limits of {what} without any turn: {_listed(unseen)}. Their alerts can never fire",
                change=f"write the names of {what} in the limits as the label {key} has them.",
            )


def _efficiency(api: PrometheusApi, table: ThresholdTable) -> Iterator[Finding]:
    """Where nobody evaluates, and hardly a turn passes the limit, the limit is out of reach."""
    limit = table.of(Metric.TOKEN_EFFICIENCY).critical
    others = f'{series.QUALITY_SOURCE}!="evaluated"'
    by = f"sum by ({SERVICE}, {AGENT})"
    within = f"{by} (increase({series.EFFICIENCY}_bucket{{{others}, {edge(limit)}}}[1d]))"
    found = api.query(f"{within} / ({by} (increase({series.EFFICIENCY}_count{{{others}}}[1d])) > {FEW_TURNS}) > 0.95")
    if found:
        yield Finding(
            what=f"hardly a turn of {_whose(found)} passes a token efficiency of {limit:g}; nobody evaluates answers",
            change="evaluate answers (turn.record_quality), or set limits of these agents' own.",
        )


def _edges(table: ThresholdTable) -> list[float]:
    """The bucket edges, in seconds, that the alerts on latency need."""
    edges = set()
    for scope in scopes(table, Metric.TURN_LATENCY):
        for limit_ms in (scope.threshold.recommended, scope.threshold.critical):
            edges |= set(bucket_edges(limit_ms / _MS, scope.threshold))
    return sorted(edges - {0.0})


def _whose(found: list[PromSample]) -> str:
    return _listed(
        sorted(
            "/".join(filter(None, (one.labels.get(SERVICE) or one.labels.get("job"), one.labels.get(AGENT))))
            for one in found
        )
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MAX_NAMED])
    return shown if len(names) <= MAX_NAMED else f"{shown} and {len(names) - MAX_NAMED} more"
