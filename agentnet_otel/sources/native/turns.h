/* What the parts that make rows and turns of spans know of each other. */

#ifndef AGENTNET_OTEL_TURNS_H
#define AGENTNET_OTEL_TURNS_H

#include "native.h"

#define MAX_SPANS 512 /* of a trace; twice as many places, and a power of two */
#define PLACES (2 * MAX_SPANS)
#define MAX_LEVELS 100 /* as `MAX_DEPTH` of `plain_turns` */
#define COMPONENTS 6
#define CATEGORIES 6
#define MAX_MODELS 8
#define MAX_TOOLS 16
#define MAX_CALLS 64 /* of models, whose every one is told */
#define MAX_ALIKE 8 /* keys for one fact */
#define EXACT ((int64_t)1 << 53) /* below it a double holds every whole number */

/* What a span is: a component by its number, or one of these. */
enum { TURN = COMPONENTS, OTHER = COMPONENTS + 1 };

typedef struct {
    int count;
    int keys[MAX_ALIKE];
} Keys;

/* Keys that both dialects have in common. */
enum {
    TURN_ID, AGENT_NAME, OPERATION, COMPONENT, REQUEST_MODEL, RESPONSE_MODEL, OUTCOME, VIOLATIONS, ESTIMATED, CATEGORY,
    COST_SOURCE, TURN_COST, TURN_COST_SOURCE, BATCH, EFFICIENCY, QUALITY_SOURCE, QUALITY, CONFIDENCE,
    ERROR_TYPE, PROMPT_LENGTH, RESPONSE_LENGTH, FIRST_TOKEN, ATTEMPTS, TOOL_OUTCOME, FALLBACK, INTERRUPTED, RECORDED,
    SAMPLING, SINGLE_KEYS
};

/* Facts that each dialect has under keys of its own; of those that are there the first counts. */
enum { AGENT, SESSION, SUBJECT, INPUT, OUTPUT, CACHED, REASONING, COST, PROVIDER, FIRST_CHUNK, FACTS };
#define TOKEN_FACTS 4 /* from INPUT on */

/* Things that Python gives by name. */
enum {
    ROW, COMPONENT_NAMES, COMPONENT_MEMBERS, KINDS_OF_OTHERS, KINDS_OF_OURS, WORKFLOW, CATEGORY_NAMES,
    CATEGORY_MEMBERS, CATEGORY_NUMBERS, OUTCOMES, COST_SOURCES, COST_MEMBERS, COST_RANKS, QUALITY_SOURCES, NO_SUBJECT,
    SERVICE_NAME, PRICE, EFFICIENCY_OF, OUTCOME_OF, FIRST_TOKEN_NS, SUM, ASSUMED_QUALITY, NO_USAGE, WENT_WELL, WENT_WRONG,
    ROW_OF_ODD, WHOLE_OF_ODD,
    THINGS
};

/* Classes, likewise. */
enum { TURN_CLASS, USAGE_CLASS, STEP_CLASS, CALL_CLASS, SHARE_CLASS, TOOL_CLASS, CLASSES
};

/* --- words.c: what Python tells; `native/turns.py` says what each of it is ------------------------------------------ */

#define MAX_FIELDS 48

/* A class of Python, and how an object of it is made of values in the order of its fields. */
typedef struct {
    PyTypeObject *type;
    PyObject *names;              /* a tuple, for a class that is called with them */
    PyObject *places[MAX_FIELDS]; /* descriptors of slots, for a class whose objects are filled */
    int count, filled;
} Class;

typedef struct {
    PyObject_HEAD
    Vocabulary *vocabulary;
    PyObject *things[THINGS];
    Class classes[CLASSES];
    int single[SINGLE_KEYS];
    Keys facts[2][FACTS]; /* of others, of ours */
    int category_keys[CATEGORIES];
    KeySet spending;
    int inference, tool, orchestration, reasoning, client, told_cost;
    int purposeful; /* a bit for each component that says what tokens inside it were for */
} Words;

int put(PyObject *dict, PyObject *key, PyObject *value); /* takes over the value, which may be NULL with an error */
PyObject *tuple_of(PyObject *const *items, int count);
int fill_words(Words *self, PyObject *const *told); /* single, facts, spending, categories, things, classes */
PyObject *make(const Words *words, int class, PyObject *const *values); /* takes no value over */

/* --- trace.c: what the spans of a trace are, and in which turn each lies --------------------------------------------- */

typedef struct {
    Span *span;
    int above; /* the place of its parent among the spans; -1 where that is not there */
    int turn;  /* the place of the turn that it lies in; -1 where it lies in none */
    Byte what;
    Byte part; /* of the turn that it lies in: a component, as a turn in a turn is one, or none */
} Node;

typedef struct {
    const Words *words;
    PyObject *prices;
    Py_ssize_t count;
    Py_ssize_t outside, clipped;
    Node nodes[MAX_SPANS];
    int16_t places[PLACES]; /* by id: one more than the place among the nodes */
} Trace;

Ending understand_trace(Trace *trace, PyObject *spans);
PyObject *first(const Words *words, const Span *span, int fact); /* borrowed; NULL where it is not said */
static inline PyObject *single(const Words *words, const Span *span, int key) /* the same */
{
    return span_says(span, words->single[key]);
}
static inline PyObject *either(PyObject *one, PyObject *other) { return one != NULL ? one : other; }
static inline PyObject *known(PyObject *said) { return Py_NewRef(either(said, Py_None)); }
static inline int is_true(PyObject *said) { return said == Py_True; }

/* --- turn.c: what a turn comes to ------------------------------------------------------------------------------------ */

typedef struct {
    int known;
    int64_t count;
} Tokens;

typedef struct {
    const Span *span;
    PyObject *model; /* NULL where it is not said */
    Tokens tokens[TOKEN_FACTS];
    int category;
    int tells; /* whether it tells of tokens */
} ModelCall;

/* Objects are borrowed from spans, unless it is said. */
typedef struct {
    Trace *trace;
    Node *root;
    Py_ssize_t count;
    int16_t below[MAX_SPANS]; /* places, in order of starting; also of the turns in it, which say nothing of it */
    int nested;               /* how many these are */
    int64_t sums[COMPONENTS]; /* nanoseconds; -1 where there is no such component */
    int64_t own[COMPONENTS];  /* the same without what runs inside; only where there is one */
    int counts[COMPONENTS];
    int64_t busy_ns[MAX_SPANS]; /* until when those inside a component run, by its place; -1 before it came */
    int stacked; /* whether any component runs inside another */
    int order[COMPONENTS]; /* components as they appear */
    int component_count, step_count;
    int64_t attributed_ns;
    PyObject *tools[MAX_TOOLS];
    int tool_count;
    PyObject *models[MAX_MODELS];
    int model_count;
    ModelCall calls[MAX_CALLS];
    int call_count; /* also of those for which there was no room */
    Tokens tokens[TOKEN_FACTS];
    int64_t by_category[CATEGORIES];
    int category_order[CATEGORIES];
    int category_count;
    int estimated;
    PyObject *costs, *reckoned; /* lists of one's own: costs that were told, and those that were reckoned; or NULL */
    long cost_rank;             /* of the source whose word counts least; -1 where nothing was told or reckoned */
    int unpriced;               /* whether a call has no price */
} Turn;

/* What goes for a turn as a whole; all of them references of its own. */
typedef struct {
    PyObject *turn_id, *trace_id, *span_id, *session, *outcome, *models, *categories, *efficiency, *quality_source,
        *cost, *violations, *estimated;
    long cost_rank; /* -1 where the cost is not known */
} Whole;

void turn_begin(Turn *turn, Trace *trace, int place);
void turn_end(Turn *turn);
PyObject *session_around(const Turn *turn, Ending *ending); /* borrowed; NULL where none is said */
Ending analyse(Turn *turn);
/* `category_names`: what stands for each category in the dict. */
Ending sum_up(Turn *turn, PyObject *category_names, Whole *whole);
void whole_end(Whole *whole);
PyObject *first_below(const Turn *turn, int fact); /* borrowed */
static inline Py_ssize_t spans_of(const Turn *turn) { return turn->count - turn->nested + 1; }
static inline int64_t duration_of(const Span *span) { return span->head.end_ns - span->head.start_ns; }

/* What makes an object of a turn that was analysed; a pair of its place in the order of ending, and the object. */
typedef Ending (*MakeTurn)(Turn *turn, PyObject **told);
Ending make_row(Turn *turn, PyObject **told);   /* row.c */
Ending make_whole(Turn *turn, PyObject **told); /* whole.c */
PyObject *ending_key(const Turn *turn, PyObject *trace_id, PyObject *span_id);

#endif
