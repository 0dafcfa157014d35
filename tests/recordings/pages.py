"""The parts of docs/sources.md that are made from the table of dialects and from the recordings.

Run as a program it brings the page up to date.
"""

import re
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
    """The page with its made parts anew."""
    for name, make in {"kinds": kinds, "facts": facts, "scores": scores}.items():
        made = "\n".join(make())
        page = re.sub(
            rf"(<!-- {name}: made -->\n).*?(\n<!-- end -->)",
            lambda m, made=made: m[1] + made + m[2],
            page,
            flags=re.DOTALL,
        )
    return page


def kinds() -> list[str]:
    """What the kinds of each dialect are."""
    columns = [component for component in LatencyComponent if component is not LatencyComponent.TOTAL]
    header = ["dialect", "recognised by", "turn", *(component.value for component in columns)]
    rows = [[d.name, recognised(d), roles(d), *(listed(of(d, component)) for component in columns)] for d in DIALECTS]
    return table(header, rows)


def facts() -> list[str]:
    """Where the facts of each dialect stand."""
    header = ["dialect", "agent", "session", "model (answered; asked)", "input; output", "cached; reasoning", "cost"]
    return table(header, [row(dialect) for dialect in DIALECTS])


def row(of_: Dialect) -> list[str]:
    """One dialect's keys."""
    tokens = of_.tokens
    objects = listed(tokens.objects)
    return [
        of_.name,
        " else ".join(filter(None, [listed(of_.agent), "the span's name" if of_.named_by_span else ""])),
        listed(of_.session),
        "; ".join(filter(None, [listed(of_.response_model), listed(of_.request_model)])),
        "; ".join(filter(None, [listed(tokens.input), listed(tokens.output)])) or objects,
        "; ".join(filter(None, [listed(tokens.cached), listed(tokens.reasoning), objects if tokens.input else ""]))
        or objects,
        listed(of_.cost or of_.cost_objects),
    ]


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
