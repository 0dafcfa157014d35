/* What the spans of a trace are, and in which turn each lies: what `plain_kinds` and the beginning of `plain_turns` say. */

#include "turns.h"

static uint64_t number_of(const Byte *id)
{
    uint64_t number;
    memcpy(&number, id, sizeof(number));
    return number;
}

static size_t place_of(uint64_t id) { return (size_t)((id * 0x9E3779B97F4A7C15u) >> 32) & (PLACES - 1); }

/* Where a span with this id is; -1 where there is none. */
static int find(const Trace *trace, const Byte *id)
{
    uint64_t number = number_of(id);
    for (size_t place = place_of(number); trace->places[place] != 0; place = (place + 1) & (PLACES - 1)) {
        int at = trace->places[place] - 1;
        if (number_of(trace->nodes[at].span->head.span_id) == number) {
            return at;
        }
    }
    return -1;
}

static Ending add(Trace *trace, Span *span)
{
    uint64_t number = number_of(span->head.span_id);
    size_t place = place_of(number);
    for (; trace->places[place] != 0; place = (place + 1) & (PLACES - 1)) {
        if (number_of(trace->nodes[trace->places[place] - 1].span->head.span_id) == number) {
            return UNUSUAL; /* it came twice */
        }
    }
    trace->nodes[trace->count] = (Node){.span = span, .above = -1, .turn = -1};
    trace->places[place] = (int16_t)++trace->count;
    return FINE;
}

PyObject *first(const Words *words, const Span *span, int fact) /* borrowed */
{
    const Keys *keys = &words->facts[span->head.ours][fact];
    for (int at = 0; at < keys->count; at++) {
        PyObject *said = span_says(span, keys->keys[at]);
        if (said != NULL) {
            return said;
        }
    }
    return NULL;
}

/* What a span is, as `plain_kinds` has it. */
static Ending classify(const Words *words, Node *node)
{
    const Span *span = node->span;
    PyObject *operation = single(words, span, OPERATION), *said = operation;
    node->what = OTHER;
    if (span->head.ours) {
        said = either(single(words, span, COMPONENT), operation);
    }
    if (said == NULL) {
        return FINE;
    }
    PyObject *kind = PyDict_GetItemWithError(words->things[span->head.ours ? KINDS_OF_OURS : KINDS_OF_OTHERS], said);
    if (kind == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    if (kind != NULL) {
        node->what = (Byte)PyLong_AsLong(kind);
    }
    if (!span->head.ours) {
        if (node->what == TURN && single(words, span, AGENT_NAME) == NULL) {
            node->what = OTHER;
        }
        if (PyUnicode_Compare(said, words->things[WORKFLOW]) == 0) {
            return UNUSUAL;
        }
    }
    return node->what == TURN && span->head.kind == words->client ? UNUSUAL : FINE;
}

static Ending gather(Trace *trace, PyObject *spans)
{
    Py_ssize_t count = PyList_GET_SIZE(spans);
    if (count > MAX_SPANS) {
        return UNUSUAL;
    }
    for (Py_ssize_t at = 0; at < count; at++) {
        PyObject *span = PyList_GET_ITEM(spans, at);
        if (!is_span(span) || ((Span *)span)->vocabulary != trace->words->vocabulary) {
            return UNUSUAL;
        }
        Ending ending = add(trace, (Span *)span);
        if (ending == FINE) {
            ending = classify(trace->words, &trace->nodes[at]);
        }
        if (ending != FINE) {
            return ending;
        }
    }
    return FINE;
}

static int is_call(const Words *words, int what) { return what < COMPONENTS && what != words->orchestration; }

static int is_workflow(const Words *words, const Span *span)
{
    PyObject *operation = single(words, span, OPERATION);
    return operation != NULL && PyUnicode_Compare(operation, words->things[WORKFLOW]) == 0;
}

/* Find the turn that each span lies in, as `_share_out` does. */
static Ending share_out(Trace *trace)
{
    const Words *words = trace->words;
    for (Py_ssize_t at = 0; at < trace->count; at++) {
        const SpanHead *head = &trace->nodes[at].span->head;
        trace->nodes[at].above = head->has_parent ? find(trace, head->parent_id) : -1;
    }
    for (Py_ssize_t at = 0; at < trace->count; at++) {
        Node *node = &trace->nodes[at];
        int above = node->above, levels = 0;
        if (above < 0 && node->what != TURN &&
            (node->span->head.has_parent || single(words, node->span, TURN_ID) != NULL)) {
            return UNUSUAL;
        }
        while (above >= 0 && trace->nodes[above].what != TURN) {
            above = trace->nodes[above].above;
            if (++levels > MAX_LEVELS) {
                return UNUSUAL;
            }
        }
        node->turn = above;
        node->part = above >= 0 && node->what == TURN ? (Byte)words->orchestration : node->what;
        if (above >= 0 && node->what == OTHER && is_workflow(words, node->span)) {
            return UNUSUAL; /* what stands around turns, in a turn */
        }
        if (above >= 0 && node->what == TURN && (!node->span->head.ours || above == at)) {
            return UNUSUAL; /* a turn in a turn may be the same turn */
        }
        trace->outside += above < 0 && is_call(words, node->what);
    }
    return FINE;
}

Ending understand_trace(Trace *trace, PyObject *spans)
{
    Ending ending = gather(trace, spans);
    return ending == FINE ? share_out(trace) : ending;
}
