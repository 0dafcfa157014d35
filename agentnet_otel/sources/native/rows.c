/* From the spans of a trace straight to the rows of its turns: what `plain_turns` does, for traces of `Span`s alone.

   It does what is done for every turn. Words, keys and formulas are told by Python (`native_rows.py`), and what is
   seldom (a nested turn, components that overlap, a failure without an outcome, a sum that is too large) is
   `UNUSUAL`: then `plain_turns` does all of the trace. Tests compare both on whatever spans may say. */

#include "native.h"

#define MAX_SPANS 512        /* of a trace; twice as many places, and a power of two */
#define PLACES (2 * MAX_SPANS)
#define MAX_LEVELS 100       /* as `MAX_DEPTH` of `plain_turns` */
#define COMPONENTS 6
#define CATEGORIES 6
#define MAX_MODELS 8
#define MAX_TOOLS 16
#define MAX_ALIKE 8          /* keys for one fact */
#define EXACT ((int64_t)1 << 53) /* below it a double holds every whole number */
#define NANOS_PER_MS 1e6

/* What a span is: a component by its number, or one of these. */
enum { TURN = COMPONENTS, OTHER = COMPONENTS + 1 };

typedef struct {
    int count;
    int keys[MAX_ALIKE];
} Keys;

/* Keys that both dialects have in common. */
enum {
    TURN_ID, AGENT_NAME, OPERATION, COMPONENT, REQUEST_MODEL, RESPONSE_MODEL, OUTCOME, VIOLATIONS, ESTIMATED, CATEGORY,
    COST_SOURCE, TURN_COST, TURN_COST_SOURCE, BATCH, EFFICIENCY, QUALITY_SOURCE, QUALITY, CONFIDENCE, ERROR_TYPE,
    SAMPLING, FIRST_TOKEN, TOOL_OUTCOME, SINGLE_KEYS
};
static const char *const single_names[SINGLE_KEYS] = {
    "turn_id", "agent_name", "operation", "component", "request_model", "response_model", "outcome", "violations",
    "estimated", "category", "cost_source", "turn_cost", "turn_cost_source", "batch", "efficiency", "quality_source",
    "quality", "confidence", "error_type", "sampling", "first_token", "tool_outcome"
};

/* Facts that each dialect has under keys of its own; of those that are there the first counts. */
enum { AGENT, SESSION, SUBJECT, INPUT, OUTPUT, CACHED, REASONING, COST, PROVIDER, FIRST_CHUNK, FACTS };
static const char *const fact_names[FACTS] = {
    "agent", "session", "subject", "input", "output", "cached", "reasoning", "cost", "provider", "first_chunk"
};
#define TOKEN_FACTS 4 /* from INPUT on */

/* Things that Python gives by name. */
enum {
    ROW, COMPONENT_NAMES, KINDS_OF_OTHERS, KINDS_OF_OURS, WORKFLOW, CATEGORY_NAMES, CATEGORY_NUMBERS, OUTCOMES,
    COST_SOURCES, COST_RANKS, NO_SUBJECT, PRICE, EFFICIENCY_OF, OUTCOME_OF, SUM, SUCCESS, THINGS
};
static const char *const thing_names[THINGS] = {
    "row", "component_names", "kinds_of_others", "kinds_of_ours", "workflow", "category_names", "category_numbers",
    "outcomes", "cost_sources", "cost_ranks", "no_subject", "price", "efficiency_of", "outcome_of", "sum", "success"
};

typedef struct {
    PyObject_HEAD
    Vocabulary *vocabulary;
    PyObject *things[THINGS];
    int single[SINGLE_KEYS];
    Keys facts[2][FACTS]; /* of others, of ours */
    int category_keys[CATEGORIES];
    KeySet spending;
    int inference, tool, orchestration, reasoning, client, told_cost;
    int figures; /* whether a row is made of the figures that reports are made of: times in nanoseconds, and more fields */
} Rows;

PyTypeObject *rows_type;

/* --- a trace ------------------------------------------------------------------------------------------------------ */

typedef struct {
    Span *span;
    int above; /* the place of its parent among the spans; -1 where that is not there */
    int turn;  /* the place of the turn that it lies in; -1 where it lies in none */
    Byte what;
} Node;

typedef struct {
    const Rows *rows;
    PyObject *prices;
    Py_ssize_t count;
    Py_ssize_t outside;
    Node nodes[MAX_SPANS];
    int16_t places[PLACES]; /* by id: one more than the place among the nodes */
} Trace;

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

static PyObject *first(const Rows *rows, const Span *span, int fact) /* borrowed */
{
    const Keys *keys = &rows->facts[span->head.ours][fact];
    for (int at = 0; at < keys->count; at++) {
        PyObject *said = span_says(span, keys->keys[at]);
        if (said != NULL) {
            return said;
        }
    }
    return NULL;
}

static PyObject *single(const Rows *rows, const Span *span, int key) { return span_says(span, rows->single[key]); }

static PyObject *either(PyObject *one, PyObject *other) { return one != NULL ? one : other; }

/* What a span is, as `plain_kinds` has it. */
static Ending classify(const Rows *rows, Node *node)
{
    const Span *span = node->span;
    PyObject *operation = single(rows, span, OPERATION), *said = operation;
    node->what = OTHER;
    if (span->head.ours) {
        said = either(single(rows, span, COMPONENT), operation);
    }
    if (said == NULL) {
        return FINE;
    }
    PyObject *kind = PyDict_GetItemWithError(rows->things[span->head.ours ? KINDS_OF_OURS : KINDS_OF_OTHERS], said);
    if (kind == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    if (kind != NULL) {
        node->what = (Byte)PyLong_AsLong(kind);
    }
    if (!span->head.ours) {
        if (node->what == TURN && single(rows, span, AGENT_NAME) == NULL) {
            node->what = OTHER;
        }
        if (PyUnicode_Compare(said, rows->things[WORKFLOW]) == 0) {
            return UNUSUAL;
        }
    }
    return node->what == TURN && span->head.kind == rows->client ? UNUSUAL : FINE;
}

static Ending gather(Trace *trace, PyObject *spans)
{
    Py_ssize_t count = PyList_GET_SIZE(spans);
    if (count > MAX_SPANS) {
        return UNUSUAL;
    }
    for (Py_ssize_t at = 0; at < count; at++) {
        PyObject *span = PyList_GET_ITEM(spans, at);
        if (!is_span(span) || ((Span *)span)->vocabulary != trace->rows->vocabulary) {
            return UNUSUAL;
        }
        Ending ending = add(trace, (Span *)span);
        if (ending == FINE) {
            ending = classify(trace->rows, &trace->nodes[at]);
        }
        if (ending != FINE) {
            return ending;
        }
    }
    return FINE;
}

static int is_call(const Rows *rows, int what) { return what < COMPONENTS && what != rows->orchestration; }

/* Find the turn that each span lies in, as `_share_out` does. */
static Ending share_out(Trace *trace)
{
    const Rows *rows = trace->rows;
    for (Py_ssize_t at = 0; at < trace->count; at++) {
        const SpanHead *head = &trace->nodes[at].span->head;
        trace->nodes[at].above = head->has_parent ? find(trace, head->parent_id) : -1;
    }
    for (Py_ssize_t at = 0; at < trace->count; at++) {
        Node *node = &trace->nodes[at];
        int above = node->above, levels = 0;
        if (above < 0 && node->what != TURN &&
            (node->span->head.has_parent || single(rows, node->span, TURN_ID) != NULL)) {
            return UNUSUAL;
        }
        while (above >= 0 && trace->nodes[above].what != TURN) {
            above = trace->nodes[above].above;
            if (++levels > MAX_LEVELS) {
                return UNUSUAL;
            }
        }
        node->turn = above;
        if (above >= 0 && node->what == TURN) {
            return UNUSUAL; /* a turn in a turn */
        }
        trace->outside += above < 0 && is_call(rows, node->what);
    }
    return FINE;
}

/* --- a turn ------------------------------------------------------------------------------------------------------- */

typedef struct {
    int known;
    int64_t count;
} Tokens;

typedef struct {
    Trace *trace;
    Node *root;
    Py_ssize_t count;
    int16_t below[MAX_SPANS]; /* places, in order of starting */
    int64_t sums[COMPONENTS]; /* nanoseconds; -1 where there is no such component */
    int counts[COMPONENTS];
    int64_t attributed_ns;
    PyObject *tools[MAX_TOOLS]; /* borrowed, as all here */
    int tool_count;
    PyObject *called[MAX_SPANS]; /* for figures: the tool of each call */
    Byte call_failed[MAX_SPANS];
    int called_count;
    PyObject *models[MAX_MODELS];
    Tokens by_model[MAX_MODELS][TOKEN_FACTS];
    int model_count;
    Tokens context; /* the largest input of a call */
    Tokens tokens[TOKEN_FACTS];
    int64_t by_category[CATEGORIES];
    int category_order[CATEGORIES];
    int category_count;
    int estimated;
    PyObject *costs; /* a list: first those that were told, then those that were reckoned; a reference of its own */
    PyObject *reckoned;
    long cost_rank; /* of the source whose word counts least; -1 where nothing was told or reckoned */
    int unpriced;   /* whether a call has no price */
} Turn;

static int starts_before(const Span *one, const Span *other)
{
    if (one->head.start_ns != other->head.start_ns) {
        return one->head.start_ns < other->head.start_ns;
    }
    return memcmp(one->head.span_id, other->head.span_id, SPAN_ID_BYTES) < 0;
}

/* Spans come nearly in order: each is put behind those that start before it. */
static void collect(Turn *turn, int place)
{
    const Trace *trace = turn->trace;
    for (Py_ssize_t at = 0; at < trace->count; at++) {
        if (trace->nodes[at].turn == place) {
            Py_ssize_t into = turn->count++;
            for (; into > 0 && starts_before(trace->nodes[at].span, trace->nodes[turn->below[into - 1]].span); into--) {
                turn->below[into] = turn->below[into - 1];
            }
            turn->below[into] = (int16_t)at;
        }
    }
}

/* Put a text among others, unless it is there; tells where it is. */
static Ending add_text(PyObject **texts, int *count, int most, PyObject *text, int *place)
{
    for (*place = 0; *place < *count; ++*place) {
        int same = PyObject_RichCompareBool(texts[*place], text, Py_EQ);
        if (same != 0) {
            return same < 0 ? FAILED : FINE;
        }
    }
    if (*count == most) {
        return UNUSUAL;
    }
    texts[(*count)++] = text;
    return FINE;
}

/* A whole number that spans say, if it is small enough to be summed up. */
static Ending number_in(PyObject *said, int64_t *number)
{
    int overflow = 0;
    long long value = said == NULL ? 0 : PyLong_AsLongLongAndOverflow(said, &overflow);
    if (value == -1 && PyErr_Occurred()) {
        return FAILED;
    }
    *number = value;
    return overflow || value < 0 || value >= EXACT / MAX_SPANS ? UNUSUAL : FINE;
}

static Ending add_tool(Turn *turn, const Span *call)
{
    const Rows *rows = turn->trace->rows;
    PyObject *name = either(first(rows, call, SUBJECT), rows->things[NO_SUBJECT]);
    int place;
    if (!rows->figures) {
        return add_text(turn->tools, &turn->tool_count, MAX_TOOLS, name, &place);
    }
    PyObject *outcome = single(rows, call, TOOL_OUTCOME);
    int good = outcome == NULL ? call->head.status != MAX_STATUS
                               : PyObject_RichCompareBool(outcome, rows->things[SUCCESS], Py_EQ);
    turn->call_failed[turn->called_count] = !good;
    turn->called[turn->called_count++] = name;
    return good < 0 ? FAILED : FINE;
}

/* Another component, which has to begin when those before it have ended. */
static Ending add_component(Turn *turn, const Node *node, int64_t *now_ns)
{
    const Rows *rows = turn->trace->rows;
    const SpanHead *head = &node->span->head;
    for (int above = node->above; &turn->trace->nodes[above] != turn->root; above = turn->trace->nodes[above].above) {
        if (turn->trace->nodes[above].what < COMPONENTS) {
            return UNUSUAL; /* a component inside another */
        }
    }
    if (head->start_ns < *now_ns) {
        return UNUSUAL;
    }
    *now_ns = head->end_ns;
    int64_t before = turn->sums[node->what];
    turn->sums[node->what] = (before < 0 ? 0 : before) + head->end_ns - head->start_ns;
    turn->attributed_ns += head->end_ns - head->start_ns;
    turn->counts[node->what]++;
    return node->what == rows->tool ? add_tool(turn, node->span) : FINE;
}

/* --- tokens and costs, as `plain_usage` counts them --------------------------------------------------------------- */

static int is_true(PyObject *said) { return said == Py_True; }

static Ending category_of(const Rows *rows, const Span *call, int *category)
{
    PyObject *said = single(rows, call, CATEGORY);
    PyObject *number = said == NULL ? NULL : PyDict_GetItemWithError(rows->things[CATEGORY_NUMBERS], said);
    if (number == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    *category = number == NULL ? rows->reasoning : (int)PyLong_AsLong(number);
    return FINE;
}

/* Count the tokens of a call; `tokens` are its own. */
static Ending add_tokens(Turn *turn, const Span *call, PyObject **said, Tokens *tokens)
{
    const Rows *rows = turn->trace->rows;
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        said[fact] = first(rows, call, INPUT + fact);
        Ending ending = number_in(said[fact], &tokens[fact].count);
        if (ending != FINE) {
            return ending;
        }
        tokens[fact].known = said[fact] != NULL;
        turn->tokens[fact].known |= tokens[fact].known;
        turn->tokens[fact].count += tokens[fact].count;
    }
    if (tokens[0].known || tokens[1].known) {
        int category;
        if (category_of(rows, call, &category) != FINE) {
            return FAILED;
        }
        if (turn->by_category[category] < 0) {
            turn->by_category[category] = 0;
            turn->category_order[turn->category_count++] = category;
        }
        turn->by_category[category] += tokens[0].count + tokens[1].count;
    }
    return FINE;
}

/* Put the tokens of a call to those of its model. */
static void add_to_model(Tokens *of_model, const Tokens *tokens)
{
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        of_model[fact].known |= tokens[fact].known;
        of_model[fact].count += tokens[fact].count;
    }
}

/* Which of the known sources a cost has: a word that is none of them, or none at all, is the span's own. */
static Ending rank_of(const Rows *rows, PyObject *source, long *rank)
{
    PyObject *number = source == NULL ? NULL : PyDict_GetItemWithError(rows->things[COST_RANKS], source);
    if (number == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    *rank = number == NULL ? rows->told_cost : PyLong_AsLong(number);
    return FINE;
}

static PyObject *source_of(const Rows *rows, long rank) /* borrowed */
{
    return PyTuple_GET_ITEM(rows->things[COST_SOURCES], rank);
}

static Ending add_cost(Turn *turn, PyObject **list, PyObject *cost, PyObject *source)
{
    long rank;
    if (rank_of(turn->trace->rows, source, &rank) != FINE) {
        return FAILED;
    }
    if (*list == NULL && (*list = PyList_New(0)) == NULL) {
        return FAILED;
    }
    turn->cost_rank = rank > turn->cost_rank ? rank : turn->cost_rank;
    return PyList_Append(*list, cost) < 0 ? FAILED : FINE;
}

/* Ask what a call cost that does not say it. */
static Ending reckon(Turn *turn, const Span *call, PyObject *model, PyObject *const *said)
{
    const Rows *rows = turn->trace->rows;
    if (turn->trace->prices == Py_None || model == NULL || (said[0] == NULL && said[1] == NULL)) {
        turn->unpriced = 1;
        return FINE;
    }
    PyObject *asked = either(single(rows, call, REQUEST_MODEL), single(rows, turn->root->span, REQUEST_MODEL));
    PyObject *at_ns = PyLong_FromLongLong(call->head.start_ns);
    if (at_ns == NULL) {
        return FAILED;
    }
    PyObject *arguments[] = {
        turn->trace->prices, model, either(asked, Py_None), either(said[0], Py_None), either(said[1], Py_None),
        either(said[2], Py_None), either(said[3], Py_None), at_ns, either(first(rows, call, PROVIDER), Py_None),
        either(single(rows, call, BATCH), Py_False),
    };
    PyObject *price = PyObject_Vectorcall(rows->things[PRICE], arguments, sizeof(arguments) / sizeof(*arguments), NULL);
    Py_DECREF(at_ns);
    Ending ending = price == NULL ? FAILED : FINE;
    if (price == Py_None) {
        turn->unpriced = 1;
    }
    else if (price != NULL) {
        ending = PyTuple_CheckExact(price) && PyTuple_GET_SIZE(price) == 2
                     ? add_cost(turn, &turn->reckoned, PyTuple_GET_ITEM(price, 0), PyTuple_GET_ITEM(price, 1))
                     : UNUSUAL;
    }
    Py_XDECREF(price);
    return ending;
}

static Ending add_call(Turn *turn, const Span *call)
{
    const Rows *rows = turn->trace->rows;
    PyObject *said[TOKEN_FACTS];
    Tokens tokens[TOKEN_FACTS];
    PyObject *model = either(either(single(rows, call, RESPONSE_MODEL), single(rows, call, REQUEST_MODEL)),
                             single(rows, turn->root->span, REQUEST_MODEL));
    int place = 0;
    Ending ending = model == NULL ? FINE : add_text(turn->models, &turn->model_count, MAX_MODELS, model, &place);
    if (ending == FINE) {
        ending = add_tokens(turn, call, said, tokens);
    }
    if (ending != FINE) {
        return ending;
    }
    int tells = tokens[0].known || tokens[1].known || tokens[2].known || tokens[3].known;
    if (model != NULL) {
        add_to_model(turn->by_model[place], tokens);
    }
    if (tokens[0].known && tokens[0].count >= turn->context.count) {
        turn->context = tokens[0];
    }
    turn->estimated |= tells && is_true(single(rows, call, ESTIMATED));
    PyObject *cost = first(rows, call, COST);
    if (cost != NULL) {
        return add_cost(turn, &turn->costs, cost, single(rows, call, COST_SOURCE));
    }
    return tells ? reckon(turn, call, model, said) : FINE;
}

/* Go through all of a turn, as `parts_of` does. */
static Ending analyse(Turn *turn)
{
    const Rows *rows = turn->trace->rows;
    const SpanHead *root = &turn->root->span->head;
    int64_t now_ns = root->start_ns;
    if (root->start_ns > root->end_ns || root->end_ns - root->start_ns >= EXACT ||
        keyset_meets(&rows->spending, &root->has)) {
        return UNUSUAL;
    }
    for (Py_ssize_t at = 0; at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        const SpanHead *head = &node->span->head;
        if (head->start_ns < root->start_ns || head->end_ns < head->start_ns || head->end_ns > root->end_ns ||
            (node->what != rows->inference && keyset_meets(&rows->spending, &head->has))) {
            return UNUSUAL;
        }
        Ending ending = node->what < COMPONENTS ? add_component(turn, node, &now_ns) : FINE;
        if (ending == FINE && node->what == rows->inference) {
            ending = add_call(turn, node->span);
        }
        if (ending != FINE) {
            return ending;
        }
    }
    return FINE;
}

/* --- the row ------------------------------------------------------------------------------------------------------ */

/* The fields of a `TurnRow`, in its order. */
enum {
    ROW_TURN_ID, ROW_TRACE_ID, ROW_SPAN_ID, ROW_AGENT, ROW_MODELS, ROW_SESSION, ROW_OUTCOME, ROW_START, ROW_DURATION,
    ROW_COMPONENTS, ROW_SUMS, ROW_UNATTRIBUTED, ROW_INPUT, ROW_OUTPUT, ROW_CACHED, ROW_REASONING, ROW_CATEGORIES,
    ROW_COST, ROW_COST_SOURCE, ROW_EFFICIENCY, ROW_QUALITY_SOURCE, ROW_TOOLS, ROW_VIOLATIONS, ROW_SPANS, ROW_REVISION,
    ROW_ESTIMATED, ROW_INCOMPLETE, ROW_FIELDS
};

/* What `TurnFigures` has beyond them. Where a row has sums of components it has how often each ran, and where that has
   the names of tools it has the tool of each call; times are in nanoseconds. */
enum {
    FIGURE_BY_MODEL = ROW_FIELDS, FIGURE_ASKED, FIGURE_CONTEXT, FIGURE_EVALUATED, FIGURE_CONFIDENCE, FIGURE_ERROR_TYPE,
    FIGURE_SAMPLING, FIGURE_FIRST_TOKEN, FIGURE_CHUNKS, FIGURE_FAILED_TOOLS, FIGURE_FIELDS
};

static PyObject *time_of(const Rows *rows, int64_t ns)
{
    return rows->figures ? PyLong_FromLongLong(ns) : PyFloat_FromDouble((double)ns / NANOS_PER_MS);
}

static PyObject *known(PyObject *said) { return Py_NewRef(either(said, Py_None)); }

static PyObject *tuple_of(PyObject *const *items, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int at = 0; tuple != NULL && at < count; at++) {
        PyTuple_SET_ITEM(tuple, at, Py_NewRef(items[at]));
    }
    return tuple;
}

static int put(PyObject *dict, PyObject *key, PyObject *value) /* takes over the value */
{
    int done = value == NULL ? -1 : PyDict_SetItem(dict, key, value);
    Py_XDECREF(value);
    return done;
}

static PyObject *components_of(const Turn *turn)
{
    PyObject *components = PyDict_New();
    for (int at = 0; components != NULL && at < COMPONENTS; at++) {
        PyObject *name = PyTuple_GET_ITEM(turn->trace->rows->things[COMPONENT_NAMES], at);
        if (turn->sums[at] >= 0 && put(components, name, time_of(turn->trace->rows, turn->sums[at])) < 0) {
            Py_CLEAR(components);
        }
    }
    return components;
}

static PyObject *counts_of(const Turn *turn)
{
    PyObject *counts = PyDict_New();
    for (int at = 0; counts != NULL && at < COMPONENTS; at++) {
        PyObject *name = PyTuple_GET_ITEM(turn->trace->rows->things[COMPONENT_NAMES], at);
        if (turn->counts[at] > 0 && put(counts, name, PyLong_FromLong(turn->counts[at])) < 0) {
            Py_CLEAR(counts);
        }
    }
    return counts;
}

static PyObject *tokens_of(const Tokens *tokens)
{
    return tokens->known ? PyLong_FromLongLong(tokens->count) : Py_NewRef(Py_None);
}

static PyObject *session_around(const Turn *turn, Ending *ending)
{
    int above = turn->root->above;
    for (int level = 0; level < MAX_LEVELS; level++) {
        if (above < 0) {
            return NULL;
        }
        PyObject *session = first(turn->trace->rows, turn->trace->nodes[above].span, SESSION);
        if (session != NULL) {
            return session;
        }
        above = turn->trace->nodes[above].above;
    }
    *ending = UNUSUAL; /* it is too deep */
    return NULL;
}

static PyObject *first_below(const Turn *turn, int fact)
{
    for (Py_ssize_t at = 0; at < turn->count; at++) {
        PyObject *said = first(turn->trace->rows, turn->trace->nodes[turn->below[at]].span, fact);
        if (said != NULL) {
            return said;
        }
    }
    return NULL;
}

static int tells_of_tokens(const Turn *turn)
{
    return turn->tokens[0].known || turn->tokens[1].known || turn->tokens[2].known || turn->tokens[3].known;
}

static int64_t total_of(const Turn *turn) { return turn->tokens[0].count + turn->tokens[1].count; }

/* The turn's own word on its tokens by category, if it agrees with its calls; otherwise what those come to. */
static Ending fill_categories(const Turn *turn, PyObject **fields, int *trusted)
{
    const Rows *rows = turn->trace->rows;
    PyObject *names = rows->things[CATEGORY_NAMES], *told = PyDict_New();
    int64_t sum = 0, count;
    Ending ending = told == NULL ? FAILED : FINE;
    for (int at = 0; ending == FINE && at < CATEGORIES; at++) {
        PyObject *said = span_says(turn->root->span, rows->category_keys[at]);
        if (said != NULL) {
            ending = number_in(said, &count);
            if (ending == FINE && PyDict_SetItem(told, PyTuple_GET_ITEM(names, at), said) < 0) {
                ending = FAILED;
            }
            sum += count;
        }
    }
    *trusted = ending == FINE && PyDict_GET_SIZE(told) > 0 && (!tells_of_tokens(turn) || sum == total_of(turn));
    if (ending == FINE && !*trusted) {
        PyDict_Clear(told);
        for (int at = 0; ending == FINE && at < turn->category_count; at++) {
            int category = turn->category_order[at];
            PyObject *number = PyLong_FromLongLong(turn->by_category[category]);
            ending = put(told, PyTuple_GET_ITEM(names, category), number) < 0 ? FAILED : FINE;
        }
    }
    fields[ROW_CATEGORIES] = told;
    return ending;
}

/* Efficiency, and who judged the quality in it. */
static Ending fill_efficiency(const Turn *turn, PyObject **fields, int told_counts)
{
    const Rows *rows = turn->trace->rows;
    const Span *root = turn->root->span;
    PyObject *numbers = Py_BuildValue("LLL", (long long)turn->tokens[1].count, (long long)total_of(turn),
                                      (long long)(root->head.end_ns - root->head.start_ns));
    if (numbers == NULL) {
        return FAILED;
    }
    int counted = turn->tokens[0].known || turn->tokens[1].known;
    PyObject *efficiency = told_counts ? single(rows, root, EFFICIENCY) : NULL;
    PyObject *arguments[] = {
        either(efficiency, Py_None), either(single(rows, root, QUALITY_SOURCE), Py_None),
        either(single(rows, root, QUALITY), Py_None), either(single(rows, root, CONFIDENCE), Py_None),
        counted ? numbers : Py_None,
    };
    PyObject *made = PyObject_Vectorcall(rows->things[EFFICIENCY_OF], arguments,
                                         sizeof(arguments) / sizeof(*arguments), NULL);
    Py_DECREF(numbers);
    Ending ending = made == NULL ? FAILED : UNUSUAL;
    if (made != NULL && PyTuple_CheckExact(made) && PyTuple_GET_SIZE(made) == 2) {
        fields[ROW_EFFICIENCY] = Py_NewRef(PyTuple_GET_ITEM(made, 0));
        fields[ROW_QUALITY_SOURCE] = Py_NewRef(PyTuple_GET_ITEM(made, 1));
        ending = FINE;
    }
    Py_XDECREF(made);
    return ending;
}

/* All costs together, as Python sums them up: first those that were told. */
static PyObject *sum_of_costs(Turn *turn)
{
    if (turn->costs == NULL) {
        turn->costs = Py_XNewRef(turn->reckoned);
    }
    else if (turn->reckoned != NULL && PyList_SetSlice(turn->costs, PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, turn->reckoned) < 0) {
        return NULL;
    }
    if (PyList_GET_SIZE(turn->costs) == 1) {
        return Py_NewRef(PyList_GET_ITEM(turn->costs, 0));
    }
    return PyObject_CallOneArg(turn->trace->rows->things[SUM], turn->costs);
}

static Ending fill_cost(Turn *turn, PyObject **fields)
{
    const Rows *rows = turn->trace->rows;
    PyObject *told = single(rows, turn->root->span, TURN_COST);
    long rank = turn->cost_rank;
    if (told != NULL) {
        if (rank_of(rows, single(rows, turn->root->span, TURN_COST_SOURCE), &rank) != FINE) {
            return FAILED;
        }
        fields[ROW_COST] = Py_NewRef(told);
    }
    else if (turn->unpriced || rank < 0) {
        rank = -1;
        fields[ROW_COST] = Py_NewRef(Py_None);
    }
    else {
        fields[ROW_COST] = sum_of_costs(turn);
    }
    fields[ROW_COST_SOURCE] = known(rank < 0 ? NULL : source_of(rows, rank));
    return FINE;
}

static Ending fill_outcome(const Turn *turn, PyObject **fields)
{
    const Rows *rows = turn->trace->rows;
    PyObject *said = single(rows, turn->root->span, OUTCOME);
    int is_one = said == NULL ? 0 : PySet_Contains(rows->things[OUTCOMES], said);
    if (is_one < 0) {
        return FAILED;
    }
    fields[ROW_OUTCOME] = is_one ? Py_NewRef(said)
                                 : PyObject_CallOneArg(rows->things[OUTCOME_OF], (PyObject *)turn->root->span);
    return FINE;
}

static Ending fill_names(const Turn *turn, PyObject **fields)
{
    const Rows *rows = turn->trace->rows;
    Span *root = turn->root->span;
    Ending ending = FINE;
    PyObject *around = session_around(turn, &ending);
    PyObject *session = either(either(first(rows, root, SESSION), around), first_below(turn, SESSION));
    PyObject *model = either(single(rows, root, RESPONSE_MODEL), single(rows, root, REQUEST_MODEL));
    fields[ROW_TRACE_ID] = span_trace_text(root);
    fields[ROW_SPAN_ID] = span_span_text(root);
    fields[ROW_TURN_ID] = Py_XNewRef(either(single(rows, root, TURN_ID), fields[ROW_SPAN_ID]));
    fields[ROW_AGENT] = known(either(single(rows, root, AGENT_NAME), first_below(turn, AGENT)));
    fields[ROW_SESSION] = known(session);
    fields[ROW_MODELS] = turn->model_count == 0 && model != NULL ? tuple_of(&model, 1)
                                                                 : tuple_of(turn->models, turn->model_count);
    fields[ROW_TOOLS] = rows->figures ? tuple_of(turn->called, turn->called_count)
                                      : tuple_of(turn->tools, turn->tool_count);
    return ending;
}

static void fill_numbers(const Turn *turn, PyObject **fields)
{
    const Rows *rows = turn->trace->rows;
    const Span *root = turn->root->span;
    int64_t duration_ns = root->head.end_ns - root->head.start_ns;
    PyObject *violations = single(rows, root, VIOLATIONS);
    fields[ROW_START] = PyLong_FromLongLong(root->head.start_ns);
    fields[ROW_DURATION] = time_of(rows, duration_ns);
    fields[ROW_COMPONENTS] = components_of(turn);
    fields[ROW_SUMS] = rows->figures ? counts_of(turn) : Py_XNewRef(fields[ROW_COMPONENTS]);
    fields[ROW_UNATTRIBUTED] = time_of(rows, duration_ns - turn->attributed_ns);
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        fields[ROW_INPUT + fact] = tokens_of(&turn->tokens[fact]);
    }
    fields[ROW_VIOLATIONS] = violations == NULL ? PyLong_FromLong(0) : Py_NewRef(violations);
    fields[ROW_SPANS] = PyLong_FromSsize_t(turn->count + 1);
    fields[ROW_REVISION] = PyLong_FromLong(1);
    fields[ROW_ESTIMATED] = PyBool_FromLong(turn->estimated || is_true(single(rows, root, ESTIMATED)));
    fields[ROW_INCOMPLETE] = Py_NewRef(Py_False);
}

/* The tokens of each model of whose calls any were told. */
static PyObject *by_model_of(const Turn *turn)
{
    PyObject *found = PyDict_New();
    for (int at = 0; found != NULL && at < turn->model_count; at++) {
        const Tokens *tokens = turn->by_model[at];
        if (tokens[0].known || tokens[1].known || tokens[2].known || tokens[3].known) {
            PyObject *usage = Py_BuildValue("NNNN", tokens_of(&tokens[0]), tokens_of(&tokens[1]),
                                            tokens_of(&tokens[2]), tokens_of(&tokens[3]));
            if (put(found, turn->models[at], usage) < 0) {
                Py_CLEAR(found);
            }
        }
    }
    return found;
}

/* When calls began, and the seconds to their first chunk, of those that tell it. */
static PyObject *chunks_of(const Turn *turn)
{
    PyObject *found = PyList_New(0);
    for (Py_ssize_t at = 0; found != NULL && at < turn->count; at++) {
        const Span *span = turn->trace->nodes[turn->below[at]].span;
        PyObject *said = first(turn->trace->rows, span, FIRST_CHUNK);
        if (said != NULL) {
            PyObject *chunk = Py_BuildValue("LO", (long long)(span->head.start_ns - turn->root->span->head.start_ns), said);
            if (chunk == NULL || PyList_Append(found, chunk) < 0) {
                Py_CLEAR(found);
            }
            Py_XDECREF(chunk);
        }
    }
    return found;
}

static PyObject *failed_tools_of(const Turn *turn)
{
    PyObject *found = PyList_New(0);
    for (int at = 0; found != NULL && at < turn->called_count; at++) {
        if (turn->call_failed[at] && PyList_Append(found, turn->called[at]) < 0) {
            Py_CLEAR(found);
        }
    }
    return found;
}

static void fill_figures(const Turn *turn, PyObject **fields)
{
    const Rows *rows = turn->trace->rows;
    const Span *root = turn->root->span;
    fields[FIGURE_BY_MODEL] = by_model_of(turn);
    fields[FIGURE_ASKED] = known(either(single(rows, root, RESPONSE_MODEL), single(rows, root, REQUEST_MODEL)));
    fields[FIGURE_CONTEXT] = tokens_of(&turn->context);
    fields[FIGURE_EVALUATED] = known(single(rows, root, QUALITY));
    fields[FIGURE_CONFIDENCE] = known(single(rows, root, CONFIDENCE));
    fields[FIGURE_ERROR_TYPE] = known(single(rows, root, ERROR_TYPE));
    fields[FIGURE_SAMPLING] = known(single(rows, root, SAMPLING));
    fields[FIGURE_FIRST_TOKEN] = known(single(rows, root, FIRST_TOKEN));
    fields[FIGURE_CHUNKS] = chunks_of(turn);
    fields[FIGURE_FAILED_TOOLS] = failed_tools_of(turn);
}

static int fields_of(const Rows *rows) { return rows->figures ? FIGURE_FIELDS : ROW_FIELDS; }

static Ending fill(Turn *turn, PyObject **fields)
{
    int trusted = 0;
    fill_numbers(turn, fields);
    Ending ending = fill_names(turn, fields);
    if (ending == FINE) {
        ending = fill_outcome(turn, fields);
    }
    if (ending == FINE) {
        ending = fill_categories(turn, fields, &trusted);
    }
    if (ending == FINE) {
        ending = fill_efficiency(turn, fields, trusted || !tells_of_tokens(turn));
    }
    if (ending == FINE) {
        ending = fill_cost(turn, fields);
    }
    if (ending == FINE && turn->trace->rows->figures) {
        fill_figures(turn, fields);
    }
    for (int at = 0; ending == FINE && at < fields_of(turn->trace->rows); at++) {
        ending = fields[at] == NULL ? FAILED : FINE;
    }
    return ending;
}

/* The row, and its place in the order of ending. */
static Ending make_row(Turn *turn, PyObject **told)
{
    PyObject *fields[FIGURE_FIELDS] = {NULL};
    int count = fields_of(turn->trace->rows);
    const SpanHead *root = &turn->root->span->head;
    Ending ending = fill(turn, fields);
    if (ending == FINE) {
        PyObject *row = PyObject_Vectorcall(turn->trace->rows->things[ROW], fields, (size_t)count, NULL);
        *told = row == NULL ? NULL
                            : Py_BuildValue("((LOOO)N)", (long long)root->end_ns, fields[ROW_START],
                                            fields[ROW_TRACE_ID], fields[ROW_SPAN_ID], row);
        ending = *told == NULL ? FAILED : FINE;
    }
    for (int at = 0; at < count; at++) {
        Py_XDECREF(fields[at]);
    }
    return ending;
}

static Ending tell_turn(Trace *trace, int place, PyObject *told)
{
    Turn turn;
    turn.trace = trace;
    turn.root = &trace->nodes[place];
    turn.count = 0;
    turn.attributed_ns = 0;
    turn.tool_count = turn.called_count = turn.model_count = turn.category_count = turn.estimated = turn.unpriced = 0;
    turn.costs = turn.reckoned = NULL;
    turn.cost_rank = -1;
    memset(turn.sums, 0xFF, sizeof(turn.sums));
    memset(turn.by_category, 0xFF, sizeof(turn.by_category));
    memset(turn.tokens, 0, sizeof(turn.tokens));
    memset(turn.counts, 0, sizeof(turn.counts));
    memset(turn.by_model, 0, sizeof(turn.by_model));
    turn.context = (Tokens){.known = 0, .count = 0};
    collect(&turn, place);
    PyObject *row = NULL;
    Ending ending = analyse(&turn);
    if (ending == FINE) {
        ending = make_row(&turn, &row);
    }
    if (ending == FINE) {
        ending = PyList_Append(told, row) < 0 ? FAILED : FINE;
    }
    Py_XDECREF(row);
    Py_XDECREF(turn.costs);
    Py_XDECREF(turn.reckoned);
    return ending;
}

static Ending tell_all(Trace *trace, PyObject *spans, PyObject *told)
{
    Ending ending = gather(trace, spans);
    if (ending == FINE) {
        ending = share_out(trace);
    }
    for (Py_ssize_t at = 0; ending == FINE && at < trace->count; at++) {
        if (trace->nodes[at].what == TURN) {
            ending = tell_turn(trace, (int)at, told);
        }
    }
    return ending;
}

PyDoc_STRVAR(of_doc,
"of(spans, prices, /)\n--\n\n"
"The rows of all turns of a trace, each with its place in the order of ending, and how many calls lie in none of them;\n"
"None where that is not so simple. ``prices`` are handed to what tells a price, unless they are None.\n\n"
"Raises:\n    Exception: whatever what it was given raises.");

static PyObject *rows_of(Rows *self, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_CheckExact(args[0])) {
        return PyErr_Format(PyExc_TypeError, "rows are of a list of spans, and prices");
    }
    Trace trace;
    trace.rows = self;
    trace.prices = args[1];
    trace.count = trace.outside = 0;
    memset(trace.places, 0, sizeof(trace.places));
    PyObject *held = PyList_GetSlice(args[0], 0, PyList_GET_SIZE(args[0])); /* what is called may change the list */
    PyObject *told = PyList_New(0);
    Ending ending = held == NULL || told == NULL ? FAILED : tell_all(&trace, held, told);
    Py_XDECREF(held);
    if (ending == FINE) {
        return Py_BuildValue("(Nn)", told, trace.outside);
    }
    Py_XDECREF(told);
    if (ending == FAILED) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* --- what Python tells -------------------------------------------------------------------------------------------- */

static PyObject *named(PyObject *dict, const char *name) /* borrowed */
{
    PyObject *found = PyDict_GetItemString(dict, name);
    if (found == NULL) {
        PyErr_Format(PyExc_TypeError, "rows have to be told %s", name);
    }
    return found;
}

/* The number of a key, given its name; -1 with an error where it is none of the vocabulary. */
static int key_of(const Vocabulary *vocabulary, PyObject *name)
{
    PyObject *number = name == NULL ? NULL : PyDict_GetItemWithError(vocabulary->numbers, name);
    long key = number == NULL ? -1 : PyLong_AsLong(number);
    if (key < 0 && !PyErr_Occurred()) {
        PyErr_Format(PyExc_ValueError, "the vocabulary has no key %R", name);
    }
    return (int)key;
}

static int fill_keys(const Vocabulary *vocabulary, Keys *keys, PyObject *names)
{
    if (!PyTuple_CheckExact(names) || PyTuple_GET_SIZE(names) > MAX_ALIKE) {
        PyErr_Format(PyExc_ValueError, "keys of one fact are a tuple of at most %d", MAX_ALIKE);
        return -1;
    }
    keys->count = (int)PyTuple_GET_SIZE(names);
    for (int at = 0; at < keys->count; at++) {
        keys->keys[at] = key_of(vocabulary, PyTuple_GET_ITEM(names, at));
        if (keys->keys[at] < 0) {
            return -1;
        }
    }
    return 0;
}

static int fill_single(Rows *self, PyObject *single)
{
    for (int at = 0; at < SINGLE_KEYS; at++) {
        PyObject *name = named(single, single_names[at]);
        self->single[at] = name == NULL ? -1 : key_of(self->vocabulary, name);
        if (self->single[at] < 0) {
            return -1;
        }
    }
    return 0;
}

static int fill_facts(Rows *self, PyObject *facts)
{
    for (int at = 0; at < FACTS; at++) {
        PyObject *both = named(facts, fact_names[at]);
        if (both == NULL) {
            return -1;
        }
        if (!PyTuple_CheckExact(both) || PyTuple_GET_SIZE(both) != 2) {
            PyErr_Format(PyExc_ValueError, "%s has keys of others and of ours", fact_names[at]);
            return -1;
        }
        for (int ours = 0; ours < 2; ours++) {
            if (fill_keys(self->vocabulary, &self->facts[ours][at], PyTuple_GET_ITEM(both, ours)) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int fill_spending(Rows *self, PyObject *names)
{
    if (!PyTuple_CheckExact(names)) {
        PyErr_SetString(PyExc_TypeError, "spending keys are a tuple");
        return -1;
    }
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(names); at++) {
        int key = key_of(self->vocabulary, PyTuple_GET_ITEM(names, at));
        if (key < 0) {
            return -1;
        }
        keyset_add(&self->spending, key);
    }
    return 0;
}

static int fill_categories_told(Rows *self, PyObject *names)
{
    if (!PyTuple_CheckExact(names) || PyTuple_GET_SIZE(names) != CATEGORIES) {
        PyErr_Format(PyExc_ValueError, "there are %d keys of categories", CATEGORIES);
        return -1;
    }
    for (int at = 0; at < CATEGORIES; at++) {
        self->category_keys[at] = key_of(self->vocabulary, PyTuple_GET_ITEM(names, at));
        if (self->category_keys[at] < 0) {
            return -1;
        }
    }
    return 0;
}

static int has_size(PyObject *tuple, Py_ssize_t size)
{
    return PyTuple_CheckExact(tuple) && PyTuple_GET_SIZE(tuple) == size;
}

static int fill_things(Rows *self, PyObject *things)
{
    for (int at = 0; at < THINGS; at++) {
        PyObject *thing = named(things, thing_names[at]);
        if (thing == NULL) {
            return -1;
        }
        self->things[at] = Py_NewRef(thing);
    }
    Py_ssize_t sources = PyTuple_CheckExact(self->things[COST_SOURCES]) ? PyTuple_GET_SIZE(self->things[COST_SOURCES]) : 0;
    if (!has_size(self->things[COMPONENT_NAMES], COMPONENTS) || !has_size(self->things[CATEGORY_NAMES], CATEGORIES) ||
        !PyDict_CheckExact(self->things[KINDS_OF_OTHERS]) || !PyDict_CheckExact(self->things[KINDS_OF_OURS]) ||
        !PyDict_CheckExact(self->things[CATEGORY_NUMBERS]) || !PyDict_CheckExact(self->things[COST_RANKS]) ||
        !PyAnySet_Check(self->things[OUTCOMES]) || !PyUnicode_CheckExact(self->things[WORKFLOW]) ||
        self->told_cost < 0 || self->told_cost >= sources) {
        PyErr_SetString(PyExc_TypeError, "rows are told of something that is of another type or size");
        return -1;
    }
    return 0;
}

/* Numbers that stand for something have to be its: with them places of arrays are found. */
static int are_numbers(PyObject *dict, long most)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &value)) {
        long number = PyLong_Check(value) ? PyLong_AsLong(value) : -1;
        if (number < 0 || number > most) {
            if (!PyErr_Occurred()) {
                PyErr_Format(PyExc_ValueError, "%R is %R, and no number from 0 to %ld", key, value, most);
            }
            return 0;
        }
    }
    return 1;
}

static int check_numbers(const Rows *self)
{
    long sources = (long)PyTuple_GET_SIZE(self->things[COST_SOURCES]);
    int fine = are_numbers(self->things[KINDS_OF_OTHERS], OTHER) && are_numbers(self->things[KINDS_OF_OURS], OTHER) &&
               are_numbers(self->things[CATEGORY_NUMBERS], CATEGORIES - 1) &&
               are_numbers(self->things[COST_RANKS], sources - 1);
    if (fine && (self->reasoning < 0 || self->reasoning >= CATEGORIES)) {
        PyErr_SetString(PyExc_ValueError, "there is no such category");
        fine = 0;
    }
    return fine ? 0 : -1;
}

static PyObject *rows_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"vocabulary", "single", "facts", "spending", "categories", "things", "inference", "tool",
                               "orchestration", "reasoning", "client", "told_cost", "figures", NULL};
    PyObject *vocabulary, *single, *facts, *spending, *categories, *things;
    int numbers[7] = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!OOO!iiiiii|p:Rows", keywords, vocabulary_type, &vocabulary,
                                     &PyDict_Type, &single, &PyDict_Type, &facts, &spending, &categories, &PyDict_Type,
                                     &things, &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4],
                                     &numbers[5], &numbers[6])) {
        return NULL;
    }
    Rows *self = (Rows *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vocabulary = (Vocabulary *)Py_NewRef(vocabulary);
    self->inference = numbers[0];
    self->tool = numbers[1];
    self->orchestration = numbers[2];
    self->reasoning = numbers[3];
    self->client = numbers[4];
    self->told_cost = numbers[5];
    self->figures = numbers[6];
    if (fill_single(self, single) < 0 || fill_facts(self, facts) < 0 || fill_spending(self, spending) < 0 ||
        fill_categories_told(self, categories) < 0 || fill_things(self, things) < 0 || check_numbers(self) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int rows_traverse(Rows *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->vocabulary);
    for (int at = 0; at < THINGS; at++) {
        Py_VISIT(self->things[at]);
    }
    return 0;
}

static int rows_clear(Rows *self)
{
    for (int at = 0; at < THINGS; at++) {
        Py_CLEAR(self->things[at]);
    }
    return 0;
}

static void rows_dealloc(Rows *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    rows_clear(self);
    Py_XDECREF(self->vocabulary);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef rows_methods[] = {
    {"of", (PyCFunction)(void (*)(void))rows_of, METH_FASTCALL, of_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(rows_doc,
"Rows(vocabulary, single, facts, spending, categories, things, inference, tool, orchestration, reasoning, client,\n"
"told_cost, figures=False)\n--\n\n"
"Makes rows of traces, or with ``figures`` what reports are made of. `native_rows` says what each of these is.\n\n"
"Raises:\n"
"    TypeError: something is missing, or of another type.\n"
"    ValueError: a key or a number is none of those that there are.");

static PyType_Slot rows_slots[] = {
    {Py_tp_doc, (void *)rows_doc},
    {Py_tp_new, rows_new},
    {Py_tp_traverse, rows_traverse},
    {Py_tp_clear, rows_clear},
    {Py_tp_dealloc, rows_dealloc},
    {Py_tp_methods, rows_methods},
    {0, NULL},
};

static PyType_Spec rows_spec = {
    .name = "agentnet_otel.sources.native._native.Rows",
    .basicsize = sizeof(Rows),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = rows_slots,
};

int rows_ready(PyObject *module)
{
    rows_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &rows_spec, NULL);
    return rows_type == NULL ? -1 : PyModule_AddObjectRef(module, "Rows", (PyObject *)rows_type);
}
