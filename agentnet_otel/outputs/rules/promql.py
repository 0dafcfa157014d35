"""Pieces of PromQL.

- Sums are ``by`` what is named, never ``without``: labels that differ from path to path never come in between.
- ``le`` is printed as ``5`` by some and as ``5.0`` by others: both are matched.
- Where ``service_name`` is no label (it was not promoted), ``job`` says the service, behind the namespace and a slash.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

SERVICE: Final = "service_name"
AGENT: Final = "gen_ai_agent_name"
MODEL: Final = "gen_ai_request_model"

Z: Final = 2.58
"""Of the lower bound: one side of 99.5 %."""
Z_LIKELY: Final = 2.0
"""Of the lower bound of what is likely: one side of 98 %."""

_NAMED: Final = f'{SERVICE}!=""'
_UNNAMED: Final = f'{SERVICE}=""'
_JOB: Final = f'"{SERVICE}", "$1", "job", "(?:.*/)?(.+)"'


def number(value: float) -> str:
    """As short as it is exact enough."""
    return f"{value:.10g}"


def quoted(text: str) -> str:
    """A string of PromQL."""
    return json.dumps(text, ensure_ascii=False)


def one_of(values: Sequence[str]) -> str:
    """A regular expression, as a string, that matches these and nothing else."""
    return quoted("|".join(re.sub(r"([\\.+*?()\[\]{}^$|])", r"\\\1", value) for value in values))


def edge(limit: float) -> str:
    """A matcher for the bucket that ends at ``limit``."""
    text = number(limit)
    escaped = re.escape(text) if "." in text else f"{text}(\\.0)?"
    return f"le=~{quoted(escaped)}"


def selector(*matchers: str) -> str:
    """What stands in braces, empty matchers left out."""
    return "{" + ", ".join(matcher for matcher in matchers if matcher) + "}"


def increase(metric: str, by: Sequence[str], window: str, *matchers: str) -> str:
    """How much a counter grew in a window, summed, whatever label says the service."""
    labels = ", ".join(by)
    named = f"increase({metric}{selector(_NAMED, *matchers)}[{window}])"
    unnamed = f"increase({metric}{selector(_UNNAMED, *matchers)}[{window}])"
    return f"sum by ({labels}) ({named})\nor\nsum by ({labels}) (label_replace({unnamed}, {_JOB}))"


def of_service(metric: str, by: Sequence[str], aggregation: str = "sum") -> str:
    """The value of a gauge, aggregated, whatever label says the service."""
    labels = ", ".join(by)
    named, unnamed = metric + selector(_NAMED), metric + selector(_UNNAMED)
    return f"{aggregation} by ({labels}) ({named})\nor\n{aggregation} by ({labels}) (label_replace({unnamed}, {_JOB}))"


def lower_bound(bad: str, everything: str, z: float = Z) -> str:
    """Wilson's lower bound of the share ``bad / everything``: that much is bad, chance left out."""
    squared = z * z
    return (
        f"(\n  {bad} + {number(squared / 2)}\n"
        f"  - {number(z)} * sqrt({bad} * clamp_min({everything} - {bad}, 0) / ({everything} > 0)"
        f" + {number(squared / 4)})\n)\n/ ({everything} + {number(squared)})"
    )
