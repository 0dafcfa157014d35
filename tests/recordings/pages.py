"""The parts of docs/sources.md that are made from the table of dialects and from the recordings.

Run as a program it brings the page up to date.
"""

from pathlib import Path

import scoring

from agentnet_otel.core.dialects import DIALECTS, MARKS, SCOPES, Dialect, Role
from agentnet_otel.model import LatencyComponent

PAGE = Path(__file__).parent.parent.parent / "docs" / "sources.md"
BESIDES = {
    "agentnet-otel": "scope `agentnet_otel`",
    "agentnet": "the names of its spans",
    "opentelemetry-genai": "`gen_ai.operation.name`, where nothing else holds",
    "openllmetry": "`db.system` of a vector database",
}
ROLES = {
    Role.TURN: "turn",
    Role.WORKFLOW: "turn if no turn is in it or around it",
    Role.ROOT: "the same, if no such is in it",
}


def main() -> None:
    """Rewrite the parts between the marks of the page."""
    PAGE.write_text(current(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def current(page: str) -> str:
    """The page with its made parts anew.

    Raises:
        ValueError: the page lacks the place of a part.
    """
    for name, make in {"kinds": kinds, "facts": facts, "scores": scores}.items():
        before, begins, rest = page.partition(f"<!-- {name}: made -->\n")
        _, ends, after = rest.partition("<!-- end -->")
        if not begins or not ends:
            message = f"{PAGE} has no place for {name}"
            raise ValueError(message)
        page = "".join([before, begins, *(f"{line}\n" for line in make()), ends, after])
    return page


def kinds() -> list[str]:
    """What the kinds of each dialect are."""
    columns = [component for component in LatencyComponent if component is not LatencyComponent.TOTAL]
    header = ["dialect", "recognised by", "turn", *(component.value for component in columns)]
    rows = [[d.name, recognised(d), roles(d), *(listed(of(d, component)) for component in columns)] for d in DIALECTS]
    return table(header, rows)


def facts() -> list[str]:
    """Where the facts of each dialect stand."""
    header = [
        "dialect",
        "agent",
        "tool",
        "session",
        "model (answered; asked)",
        "input; output tokens",
        "cached; reasoning tokens",
        "cost",
        "first chunk of a stream",
    ]
    return table(header, [row(dialect) for dialect in DIALECTS])


def row(of_: Dialect) -> list[str]:
    """One dialect's keys."""
    tokens = of_.tokens
    objects = listed(tokens.objects)
    return [
        of_.name,
        " else ".join(filter(None, [listed(of_.agent), "the span's name" if names_turns(of_) else ""])),
        " else ".join(filter(None, [listed(of_.subject), "the span's name" if names_tools(of_) else ""])),
        listed(of_.session),
        "; ".join(filter(None, [listed(of_.response_model), listed(of_.request_model)])),
        "; ".join(filter(None, [listed(tokens.input), listed(tokens.output)])) or objects,
        "; ".join(filter(None, [listed(tokens.cached), listed(tokens.reasoning), objects if tokens.input else ""]))
        or objects,
        listed(of_.cost or of_.cost_objects),
        first_chunk(of_),
    ]


def first_chunk(of_: Dialect) -> str:
    """Where it stands beside the keys of all."""
    return "; ".join(
        [f"`{key}` (ms)" for key in of_.first_chunk_ms] + [f"event `{e}`" for e in sorted(of_.first_chunk_events)]
    )


def names_turns(of_: Dialect) -> bool:
    """Whether the span of an agent has its name."""
    return any(kind in of_.named_by_span for kind, role in of_.roles.items() if role in ROLES)


def names_tools(of_: Dialect) -> bool:
    """Whether the span of a tool has its name."""
    return not of_.named_by_span.isdisjoint(of(of_, LatencyComponent.TOOL_EXECUTION))


def scores() -> list[str]:
    """How much of each recording is read right, and what is lost."""
    header = ["recording", "written by", "dialect", "turns", "facts", "right", "not in the spans"]
    rows = []
    for name in scoring.NAMES:
        of_ = scoring.score(name)
        rows.append(
            [name, of_.library, of_.dialect, str(of_.turns), str(of_.facts), f"{of_.share:.1%}", "; ".join(of_.lost)]
        )
    return table(header, rows)


def recognised(dialect: Dialect) -> str:
    """The marks of a dialect."""
    marks = [f"`{mark}`" for mark, marked in MARKS if marked is dialect]
    scopes = [f"scope `{beginning}...`" for beginning, marked in SCOPES if marked is dialect]
    return ", ".join([*marks, *scopes, *filter(None, [BESIDES.get(dialect.name)])])


def roles(dialect: Dialect) -> str:
    """Its kinds that may be turns."""
    return "; ".join(f"`{kind}`: {ROLES[role]}" for kind, role in dialect.roles.items() if role in ROLES)


def of(dialect: Dialect, component: LatencyComponent) -> list[str]:
    """Its kinds of a component."""
    return [kind for kind, found in dialect.components.items() if found is component]


def listed(keys: object) -> str:
    """Keys, as code."""
    return ", ".join(f"`{key}`" for key in keys)


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table."""
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


if __name__ == "__main__":
    main()
