"""Benchmarks that are planned: out of settings, or out of a YAML file with several of them.

    agents: my_agents:make_planner          # for all benchmarks below; also a list
    defaults: {iterations: 50, warmup_iterations: 5}
    benchmarks:
      - name: planner
        type: single_turn
        models: [m-small, m-large]          # each is given to the factory as model=...
        concurrency: [1, 4]
        prompts: ["Plan a trip."]

Lists under ``agents``, ``models``, ``type``, ``concurrency`` and ``rate`` make a matrix: a benchmark for each
combination, in this order.
"""

import functools
import importlib
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.performance.benchmark import BenchmarkConfig, BenchmarkResult, BenchmarkType
from agentnet_otel.sources.yaml_file import load_yaml, place_of, require_mapping

MAX_BENCHMARKS: Final = 1000
"""Benchmarks of one file; a matrix grows quickly."""

_OTHER_NAMES: Final = {
    "type": "benchmark_type",
    "concurrency": "concurrency_level",
    "warmup": "warmup_iterations",
    "timeout": "timeout_seconds",
    "prompts": "test_prompts",
    "rate": "rate_per_second",
}
_MATRIX: Final = ("agents", "models", "benchmark_type", "concurrency_level", "rate_per_second")
"""What may be a list, the slowest to change first."""
_SETTINGS: Final = frozenset(field.name for field in fields(BenchmarkConfig))
_OWN: Final = frozenset({"agents", "models", "operation"})
_TOP: Final = frozenset({"agents", "models", "operation", "defaults", "benchmarks"})
_LIMITS: Final = {
    "max_turn_latency_ms": "mean turn latency",
    "max_tokens_per_turn": "tokens per turn",
    "min_success_rate": "success rate",
    "max_cost_usd": "cost per turn",
    "max_avg_cost_usd": "cost per turn",
    "max_p95_latency_ms": "p95 turn latency",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A benchmark to run.

    ``factory`` and ``operation`` are ``module:name``; ``limits``: which of its limits were asked for, and are not only
    the documented defaults.
    """

    config: BenchmarkConfig
    factory: str
    model: str | None = None
    operation: str | None = None
    limits: tuple[str, ...] = ()

    def agent_factory(self) -> Callable[..., Any]:
        """The factory, for the model.

        Raises:
            ConfigurationError: there is none of this name, or it takes no model.
        """
        factory = load(self.factory)
        if self.model is None:
            return factory
        if not _takes_model(factory):
            message = f"{self.factory} takes no argument 'model', so it cannot be run with model {self.model!r}"
            raise ConfigurationError(message)
        return functools.partial(factory, model=self.model)

    def operation_func(self) -> Callable[..., Any] | None:
        """The operation, where one of the user's own is to run."""
        return None if self.operation is None else load(self.operation)

    def missed(self, result: BenchmarkResult) -> list[str]:
        """Sentences on the limits that were asked for and are not kept."""
        figures = {
            "max_turn_latency_ms": result.avg_turn_latency_ms,
            "max_tokens_per_turn": result.avg_tokens_per_turn,
            "min_success_rate": result.success_rate,
            "max_cost_usd": result.avg_cost_usd,
            "max_avg_cost_usd": result.avg_cost_usd,
            "max_p95_latency_ms": result.p95_turn_latency_ms,
        }
        found = []
        for name in self.limits:
            value, limit = figures[name], getattr(self.config, name)
            if value is None:
                continue
            if value < limit if name == "min_success_rate" else value > limit:
                found.append(f"{self.config.name}: {_LIMITS[name]} is {value:,.6g}, the limit {name} is {limit:,.6g}")
        return found


def plans_of(
    settings: Mapping[str, Any], *, agents: Sequence[str], models: Sequence[str] = (), operation: str | None = None
) -> list[Plan]:
    """The benchmarks of settings; lists make a matrix.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    given = {**settings, "agents": list(agents), "models": list(models), "operation": operation}
    return list(_expanded(given, "the command line"))


def read_plans(
    path: Path, overriding: Mapping[str, Any], *, agents: Sequence[str] = (), models: Sequence[str] = ()
) -> list[Plan]:
    """The benchmarks of a YAML file. ``overriding``, ``agents`` and ``models`` go before what it says.

    Raises:
        ConfigurationError: the file is wrong; the text names file and line.
        MissingExtraError: no YAML library is installed.
    """
    document = load_yaml(path, "benchmarks")
    name = str(path)
    require_mapping(document, name, "the file")
    _refuse_unknown(document, _TOP, document, name)
    defaults = document.get("defaults") or {}
    require_mapping(defaults, place_of(document, "defaults", name), "defaults")
    _refuse_unknown(defaults, _SETTINGS | _OWN | set(_OTHER_NAMES), defaults, name)
    entries = document.get("benchmarks")
    if not isinstance(entries, list) or not entries:
        message = f"{name}: 'benchmarks' has to be a list with at least one benchmark"
        raise ConfigurationError(message)
    top = {key: document[key] for key in _OWN if key in document}
    found: list[Plan] = []
    for place, entry in enumerate(entries):
        where = place_of(entries, place, name)
        require_mapping(entry, where, "a benchmark")
        _refuse_unknown(entry, _SETTINGS | _OWN | set(_OTHER_NAMES), entry, name)
        given = {**_named(top), **_named(defaults), **_named(entry), **overriding}
        places = {
            _OTHER_NAMES.get(key, key): place_of(marked, key, name) for marked in (defaults, entry) for key in marked
        }
        if agents:
            given["agents"] = list(agents)
        if models:
            given["models"] = list(models)
        found += _expanded(given, where, {key: at for key, at in places.items() if key not in overriding})
        if len(found) > MAX_BENCHMARKS:
            message = f"{name}: these are more than {MAX_BENCHMARKS} benchmarks; make the lists shorter"
            raise ConfigurationError(message)
    return found


def load(name: str) -> Callable[..., Any]:
    """What ``module:name`` is; modules in the working directory are found too.

    Raises:
        ConfigurationError: it is not there, or cannot be called.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        message = f"{name!r} is no MODULE:NAME, such as my_agents:make_planner"
        raise ConfigurationError(message)
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError:
        message = f"{name}: module {module_name} has no {attribute!r}"
        raise ConfigurationError(message) from None
    except Exception as error:
        message = f"{name}: {module_name} cannot be imported: {type(error).__name__}: {error}"
        raise ConfigurationError(message) from error
    if not callable(found):
        message = f"{name} is no function, but of type {type(found).__name__}; give a function that makes an agent"
        raise ConfigurationError(message)
    return found  # type: ignore[no-any-return]


def _expanded(given: Mapping[str, Any], where: str, places: Mapping[str, str] | None = None) -> Iterator[Plan]:
    """A plan for each combination of the lists. ``places``: where each setting stands, as far as a file says it."""
    axes = [_listed(given.get(name)) or [None] for name in _MATRIX]
    if axes[0] == [None]:
        message = f"{where}: it does not say which agents to run; give MODULE:FACTORY, or 'agents' in the file"
        raise ConfigurationError(message)
    settings = {key: value for key, value in given.items() if key in _SETTINGS and key not in _MATRIX}
    name = str(settings.pop("name", "") or "")
    limits = tuple(key for key in _LIMITS if settings.get(key) is not None)
    for agent, model, kind, concurrency, rate in itertools.product(*axes):
        chosen = dict(zip(_MATRIX[2:], (kind or BenchmarkType.SINGLE_TURN, concurrency, rate), strict=True))
        values = (agent, model, kind, concurrency, rate)
        varied = [
            f"{label}{value}"
            for label, axis, value in zip(("", "", "", "concurrency ", "rate "), axes, values, strict=True)
            if len(axis) > 1
        ]
        try:
            config = BenchmarkConfig(
                name=_full_name(name or str(agent).rpartition(":")[2], varied),
                **{**settings, **{key: value for key, value in chosen.items() if value is not None}},
            )
        except (ValueError, TypeError) as error:
            field = str(error).partition(" ")[0]  # a refusal begins with the name of what is refused
            message = f"{(places or {}).get(field, where)}: {error}"
            raise ConfigurationError(message) from None
        operation = given.get("operation")
        yield Plan(
            config=config,
            factory=str(agent),
            model=None if model is None else str(model),
            operation=None if operation is None else str(operation),
            limits=limits,
        )


def _full_name(name: str, varied: Sequence[str]) -> str:
    return f"{name} [{', '.join(varied)}]" if varied else name


def _named(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under their full names."""
    return {_OTHER_NAMES.get(key, key): value for key, value in entries.items()}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _refuse_unknown(entries: Mapping[str, Any], known: frozenset[str] | set[str], marked: Any, name: str) -> None:
    for key in entries:
        if key not in known:
            message = f"{place_of(marked, key, name)}: unknown key {key!r}; allowed are: {', '.join(sorted(known))}"
            raise ConfigurationError(message)


def _takes_model(factory: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (ValueError, TypeError):  # of builtins that tell no signature
        return True
    return any(p.name == "model" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
