"""How many facts of a recording are read right, against those written by hand in its ``expected.json``.

Run as a program it prints the table of docs/sources.md. A fact that the spans do not hold stands under ``lost``, with
the reason, and is not scored.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from agentnet_otel.model import LatencyComponent, Turn
from agentnet_otel.sources.rebuild import rebuild

RECORDINGS = Path(__file__).parent
NAMES = sorted(path.parent.name for path in RECORDINGS.glob("*/expected.json"))
NANOS_PER_MS = 1_000_000


@dataclass(kw_only=True)
class Score:
    """Facts of one recording. ``wrong`` says where, what is right, and what was read."""

    name: str
    library: str
    dialect: str
    turns: int
    facts: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of all facts, those that are right; 0 to 1."""
        return 1 - len(self.wrong) / self.facts

    def take(self, where: str, expected: object, read: object) -> None:
        """Count one fact."""
        self.facts += 1
        if not same(expected, read):
            self.wrong.append(f"{where}: {expected!r} is right, read was {read!r}")


def same(expected: object, read: object) -> bool:
    """Equal, amounts up to rounding."""
    if isinstance(expected, float) and isinstance(read, float):
        return math.isclose(expected, read, rel_tol=1e-9)
    return expected == read


def score(name: str) -> Score:
    """Read a recording, and compare."""
    folder = RECORDINGS / name
    truth = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    rebuilt = rebuild([folder / "spans.jsonl"])
    turns = sorted(rebuilt.turns, key=lambda turn: turn.start_ns)
    result = Score(
        name=name, library=truth["library"], dialect=truth["dialect"], turns=len(truth["turns"]), lost=truth["lost"]
    )
    result.take("turns", len(truth["turns"]), len(turns))
    result.take("calls outside turns", truth["calls_outside_turns"], rebuilt.counts.outside)
    for place, expected in enumerate(truth["turns"]):
        read = facts_of(turns[place]) if place < len(turns) else {}
        compare(result, f"turn {place + 1}", expected, read)
    return result


def compare(result: Score, where: str, expected: dict, read: dict) -> None:
    """Count the facts of one turn; a turn that is missing has none of them right."""
    self_ms = read.get("self_ms", {})
    for fact, right in expected.items():
        if fact == "at_least_ms":
            for component, least in right.items():
                lasted = self_ms.get(component, 0)
                result.take(f"{where} {component} lasts {least} ms", least, min(lasted, least))
        elif fact == "first_token_after_ms":
            came = read.get("first_token_ms") or 0
            result.take(f"{where} first token after {right} ms", right, right if right <= came <= read["ms"] else came)
        else:
            result.take(f"{where} {fact}", right, read.get(fact, "no such turn"))


def facts_of(turn: Turn) -> dict:
    """A turn in the words of ``expected.json``."""
    return {
        "agent": turn.agent,
        "session": turn.session,
        "outcome": turn.outcome.value,
        "models": list(turn.models),
        "components": named(turn.component_counts),
        "self_ms": {name: ns / NANOS_PER_MS for name, ns in named(turn.component_self_ns).items()},
        "tools": list(turn.tools),
        "input_tokens": turn.tokens.input,
        "output_tokens": turn.tokens.output,
        "cached_tokens": turn.tokens.cached,
        "reasoning_tokens": turn.tokens.reasoning,
        "cost_usd": turn.cost_usd,
        "ms": turn.duration_ns / NANOS_PER_MS,
        "first_token_ms": None if turn.time_to_first_token_ns is None else turn.time_to_first_token_ns / NANOS_PER_MS,
    }


def named(by_component: dict[LatencyComponent, int]) -> dict[str, int]:
    """By the name of the component."""
    return {component.value: value for component, value in by_component.items()}


def main() -> None:
    """Print the table."""
    print("| recording | library | dialect | turns | facts | right | lost: not in the spans |")
    print("|---|---|---|---|---|---|---|")
    for name in NAMES:
        of = score(name)
        lost = "; ".join(of.lost)
        print(f"| {name} | {of.library} | {of.dialect} | {of.turns} | {of.facts} | {of.share:.1%} | {lost} |")
        for wrong in of.wrong:
            print(f"    {wrong}")


if __name__ == "__main__":
    main()
