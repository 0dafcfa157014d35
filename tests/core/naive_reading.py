"""A naive reading of a whole trace, to compare the assembler with: no order, no time, no memory, rule after rule.

It shares nothing with `agentnet_otel.core` but the names of attributes. Times are small numbers of nanoseconds, so that
self time can be counted tick by tick.
"""

from collections import Counter
from itertools import takewhile

from agentnet_otel import semconv
from agentnet_otel.model import LatencyComponent, SpanKind

TURN, SESSION, WORKFLOW, OTHER = "turn", "session", "workflow", "other"
GENAI_COMPONENTS = {
    "chat": "inference",
    "execute_tool": "tool_execution",
    "search_memory": "memory_access",
    "apply_guardrail": "policy_check",
    "plan": "orchestration",
}
CATEGORIES = {"tool_execution": "tool_calls", "memory_access": "memory", "policy_check": "policy"}


def read(spans):
    """The turns of distinct spans of one trace by the id of their own span, and how many calls lie outside any."""
    return _Trace(spans).turns()


class _Trace:
    def __init__(self, spans):
        self.spans = {span.span_id: span for span in spans}
        self.roles = {span.span_id: _role(span) for span in spans}
        self.components = {span.span_id: _component(span) for span in spans}
        self._demote_callers()
        self._promote_workflows()

    def turns(self):
        owners = {id_: self._owner(id_) for id_ in self.spans if self.roles[id_] != TURN}
        owners = {id_: owner for id_, owner in owners.items() if owner is not None}
        roots = {id_: id_ for id_ in self.spans if self.roles[id_] == TURN}
        groups = self._orphans(owners)
        for id_ in self.spans:
            if id_ not in owners and self.roles[id_] != TURN and (group := groups.get(self._top(id_))):
                owners[id_] = group
        found = {}
        for turn_id in {*roots, *groups.values()}:
            parts = sorted(
                (self.spans[id_] for id_, owner in owners.items() if owner == turn_id),
                key=lambda span: (span.start_ns, span.span_id),
            )
            nested = [self.spans[id_] for id_ in roots if self._outer(id_, groups) == turn_id != id_]
            found[turn_id] = self._turn(self.spans.get(turn_id), turn_id, parts, nested)
        outside = [
            id_
            for id_ in self.spans
            if id_ not in owners and self.components[id_] not in {None, "orchestration"} and self.roles[id_] != TURN
        ]
        return found, len(outside)

    # --- who belongs to whom ---

    def _parent(self, span_id):
        """Nothing stands above itself."""
        parent = self.spans[span_id].parent_span_id
        return None if parent == span_id else parent

    def _above(self, span_id):
        seen, above = {span_id}, []
        parent = self._parent(span_id)
        while parent in self.spans and parent not in seen:
            above.append(parent)
            seen.add(parent)
            parent = self._parent(parent)
        return above

    def _above_in_turn(self, span_id):
        return list(takewhile(lambda above: self.roles[above] != TURN, self._above(span_id)))

    def _top(self, span_id):
        return [span_id, *self._above(span_id)][-1]

    def _owner(self, span_id):
        for above in self._above(span_id):
            if self.roles[above] == TURN:
                return above
        top = self._top(span_id)
        named = self.spans[top].attributes.get(semconv.TURN_ID)
        if self.roles[top] == TURN or named is None or self._parent(top) in self.spans:
            return None
        return next((i for i, s in self.spans.items() if self.roles[i] == TURN and _named(s) == named), None)

    def _outer(self, turn_id, groups):
        """The turn around a turn, be it one whose own span is missing."""
        top = self._top(turn_id)
        parent = self._parent(top)
        missing = parent if self.roles[top] == TURN and parent in groups.values() else None
        return self._owner(turn_id) or groups.get(top) or missing

    def _orphans(self, owners):
        """The id of the incomplete turn of each top-most span that has one."""
        tops = [s for i, s in self.spans.items() if self._parent(i) and self._parent(i) not in self.spans]
        tops = [s for s in tops if self.roles[s.span_id] != TURN and s.span_id not in owners]
        by_name, group_of = {}, {}
        for span in sorted(tops, key=lambda span: (span.start_ns, span.span_id)):
            missing = span.parent_span_id
            group_of[span.span_id] = by_name.setdefault(_named(span), missing) if _named(span) else missing
        members = {g: [i for i in self.spans if group_of.get(self._top(i)) == g] for g in set(group_of.values())}
        for group, found in members.items():
            ids = [i for i in found if not any(self.roles[a] == TURN for a in [i, *self._above(i)])]
            names_agent = any(self.spans[i].attributes.get(semconv.AGENT_NAME) for i in ids)
            names_turn = any(_named(self.spans[i]) or not _ours(self.spans[i]) for i in ids if i in group_of)
            if not names_agent or not names_turn or not any(self.components[i] for i in ids):
                group_of = {i: g for i, g in group_of.items() if g != group}
        return group_of

    def _demote_callers(self):
        """CLIENT turns around a turn of another process are calls."""
        demoted = set()
        for id_ in [i for i, role in self.roles.items() if role == TURN]:
            below, remote = self.spans[id_], False
            for above in self._above(id_):
                span = self.spans[above]
                remote |= below.parent_is_remote is True or span.service_name != below.service_name
                if self.roles[above] == TURN:
                    if not remote or span.kind is not SpanKind.CLIENT:
                        break
                    demoted.add(above)
                below = span
        for id_ in demoted:
            self.roles[id_], self.components[id_] = OTHER, "orchestration"

    def _promote_workflows(self):
        """Outermost workflows that hold no turn are turns."""
        turns = [i for i, role in self.roles.items() if role == TURN]
        workflows = [i for i, role in self.roles.items() if role == WORKFLOW]
        for id_ in workflows:
            holds = any(id_ in self._above(turn) for turn in turns)
            inside = any(above in turns or above in workflows for above in self._above(id_))
            if not holds and not inside:
                self.roles[id_] = TURN

    # --- what a turn is ---

    def _turn(self, root, turn_id, parts, nested):
        low = root.start_ns if root else parts[0].start_ns
        high = max([root.end_ns, low] if root else [max(p.start_ns, p.end_ns) for p in parts])
        calls = [p for p in parts if self._same_call_around(p) is None]
        timed = [(p, self.components[p.span_id]) for p in calls if self.components[p.span_id]]
        timed += [(n, "orchestration") for n in nested]
        ticks, nowhere = self._ticks(turn_id, timed, low, high)
        sums, counts, steps = Counter(), Counter(), []
        for span, component in timed:
            start = min(max(span.start_ns, low), high)
            sums[component] += min(max(span.end_ns, start), high) - start
            counts[component] += 1
            steps.append((start - low, component, min(max(span.end_ns, start), high) - start))
        usage = self._usage(root, parts)
        attributes = root.attributes if root else {}
        return {
            "agent": attributes.get(semconv.AGENT_NAME)
            or (attributes.get(semconv.WORKFLOW_NAME) if root and _role(root) == WORKFLOW else None)
            or next((a for p in parts if (a := p.attributes.get(semconv.AGENT_NAME))), ""),
            "session": self._session(turn_id, root, parts),
            "within": (low, high),
            "self": {c: ticks[c] for c in counts},
            "sums": dict(sums),
            "counts": dict(counts),
            "steps": sorted(steps),
            "unattributed": nowhere,
            "spans": len(parts) + (root is not None),
            "clipped": sum(not low <= s.start_ns <= s.end_ns <= high for s in [*parts, *nested])
            + (root is not None and root.end_ns < root.start_ns),
            "tools": tuple(
                p.attributes.get(semconv.TOOL_NAME, "_OTHER")
                for p in calls
                if self.components[p.span_id] == "tool_execution"
            ),
            "incomplete": root is None,
            **usage,
        }

    def _same_call_around(self, span):
        """The span of a call around a span that others wrote of the same call."""
        kind = self.components[span.span_id]
        around = next((a for a in self._above_in_turn(span.span_id) if self.components[a]), None)
        if _ours(span) or kind not in {"inference", "tool_execution"} or around is None:
            return None
        named = {self.spans[i].attributes.get(semconv.TOOL_NAME) for i in (span.span_id, around)}
        same = self.components[around] == kind and (kind == "inference" or len(named) == 1)
        return self.spans[around] if same else None

    def _tells_more(self, span):
        outer = self._same_call_around(span)
        return (
            outer is None or _tokens(span) or _cost(span) is not None or not outer.attributes.get(semconv.REQUEST_MODEL)
        )

    def _session(self, turn_id, root, parts):
        above = [root, *(self.spans[a] for a in self._above(turn_id))] if root else []
        return next((s for span in [*above, *parts] if (s := span.attributes.get(semconv.CONVERSATION_ID))), None)

    def _ticks(self, turn_id, timed, low, high):
        """Each tick given to the innermost component that runs; of siblings to the one that ends last."""
        component = {span.span_id: name for span, name in timed}
        spans = {span.span_id: span for span, _ in timed}

        def around(id_):
            return next((a for a in self._above_in_turn(id_) if a in component), None)

        children = {}
        for id_ in spans:
            children.setdefault(around(id_), []).append(id_)

        def runs(id_, tick):
            span = spans[id_]
            start = min(max(span.start_ns, low), high)
            own = start <= tick < min(max(span.end_ns, start), high)
            return own or any(runs(child, tick) for child in children.get(id_, ()))

        def last(id_):
            own = min(max(spans[id_].end_ns, spans[id_].start_ns, low), high)
            return max([own, *(last(child) for child in children.get(id_, ()))])

        ticks, nowhere = Counter(), 0
        rank = {id_: (-last(id_), min(max(low, spans[id_].start_ns), high), id_) for id_ in spans}
        for tick in range(low, high):
            here, given = None, None
            while running := [child for child in children.get(here, ()) if runs(child, tick)]:
                here = min(running, key=rank.__getitem__)
                given = here
            if given is None:
                nowhere += 1
            else:
                ticks[component[given]] += 1
        return ticks, nowhere

    def _usage(self, root, parts):
        """Tokens and cost of what has nothing of the kind below it."""
        parts = [p for p in parts if self._tells_more(p)]
        with_tokens = {p.span_id for p in parts if _tokens(p)}
        with_cost = {p.span_id for p in parts if _cost(p) is not None}
        repeats = {a for i in with_tokens for a in self._above_in_turn(i)}
        around_cost = {a for i in with_cost for a in self._above_in_turn(i)}
        asked = root.attributes.get(semconv.REQUEST_MODEL) if root else None
        models, by_model, by_category, total = [], {}, Counter(), Counter()
        for part in parts:
            if part.span_id in repeats:
                continue
            tokens, model = _tokens(part), part.attributes.get(semconv.REQUEST_MODEL) or asked
            if model and model not in models and (tokens or self.components[part.span_id] == "inference"):
                models.append(model)
            if tokens:
                total.update(tokens)
                by_category[self._category(part)] += tokens["input"] + tokens["output"]
                if model:
                    by_model[model] = by_model.get(model, 0) + tokens["output"]
        if root and not with_tokens and (tokens := _tokens(root)):
            total.update(tokens)
            by_category["reasoning"] += tokens["input"] + tokens["output"]
            if asked:
                by_model[asked] = tokens["output"]
        leaves = with_cost - around_cost
        covered = all(
            i in with_cost or i in around_cost or any(a in leaves for a in self._above_in_turn(i)) for i in with_tokens
        )
        cost = None
        if leaves and covered:
            cost = sum(_cost(self.spans[i]) for i in leaves)
        elif root and _cost(root) is not None:
            cost = _cost(root)
        return {
            "tokens": dict(total),
            "by_category": dict(by_category),
            "by_model": by_model,
            "models": tuple(models) or ((asked,) if asked else ()),
            "cost": cost,
        }

    def _category(self, part):
        for id_ in [part.span_id, *self._above_in_turn(part.span_id)]:
            if self.components[id_] in CATEGORIES:
                return CATEGORIES[self.components[id_]]
        return "reasoning"


def _named(span):
    return span.attributes.get(semconv.TURN_ID)


def _ours(span):
    return span.scope_name == semconv.SCOPE_NAME


def _role(span):
    operation = span.attributes.get(semconv.OPERATION_NAME)
    if operation == "invoke_agent" and (_ours(span) or span.attributes.get(semconv.AGENT_NAME)):
        return TURN
    if operation == "invoke_workflow":
        return SESSION if _ours(span) else WORKFLOW
    return OTHER


def _component(span):
    if _ours(span):
        return span.attributes.get(semconv.LATENCY_COMPONENT)
    return GENAI_COMPONENTS.get(span.attributes.get(semconv.OPERATION_NAME))


def _tokens(span):
    if semconv.USAGE_INPUT_TOKENS not in span.attributes:
        return None
    return {
        "input": span.attributes[semconv.USAGE_INPUT_TOKENS],
        "output": span.attributes[semconv.USAGE_OUTPUT_TOKENS],
    }


def _cost(span):
    return span.attributes.get(semconv.COST_USD if _ours(span) else semconv.USAGE_COST)


def told(turn):
    """What the assembler told, in the words of this reading."""
    return {
        "agent": turn.agent,
        "session": turn.session,
        "within": (turn.start_ns, turn.end_ns),
        "self": {c.value: ns for c, ns in turn.component_self_ns.items()},
        "sums": {c.value: ns for c, ns in turn.component_sum_ns.items()},
        "counts": {c.value: n for c, n in turn.component_counts.items()},
        "steps": sorted((s.offset_ns, s.component.value, s.duration_ns) for s in turn.steps),
        "unattributed": turn.unattributed_ns,
        "spans": turn.spans,
        "clipped": turn.clipped_spans,
        "tools": tuple(call.name for call in turn.tool_calls),
        "incomplete": turn.incomplete,
        "tokens": {"input": turn.tokens.input, "output": turn.tokens.output} if turn.tokens.known else {},
        "by_category": {c.value: n for c, n in turn.tokens_by_category.items()},
        "by_model": {model: usage.output for model, usage in turn.tokens_by_model.items()},
        "models": turn.models,
        "cost": turn.cost_usd,
    }


COMPONENTS = [component.value for component in LatencyComponent if component is not LatencyComponent.TOTAL]
