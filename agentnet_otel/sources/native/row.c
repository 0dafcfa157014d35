/* A turn as a row. */

#include "turns.h"

#define NANOS_PER_MS 1e6

/* The fields of a `TurnRow`, in its order. */
enum {
    ROW_TURN_ID, ROW_TRACE_ID, ROW_SPAN_ID, ROW_AGENT, ROW_MODELS, ROW_SESSION, ROW_OUTCOME, ROW_START, ROW_DURATION,
    ROW_COMPONENTS, ROW_SUMS, ROW_UNATTRIBUTED, ROW_INPUT, ROW_OUTPUT, ROW_CACHED, ROW_REASONING, ROW_CATEGORIES,
    ROW_COST, ROW_COST_SOURCE, ROW_EFFICIENCY, ROW_QUALITY_SOURCE, ROW_TOOLS, ROW_VIOLATIONS, ROW_SPANS, ROW_REVISION,
    ROW_ESTIMATED, ROW_INCOMPLETE, ROW_FIELDS
};

static PyObject *ms(int64_t ns) { return PyFloat_FromDouble((double)ns / NANOS_PER_MS); }

static PyObject *components_of(const Turn *turn, const int64_t *times_ns)
{
    PyObject *components = PyDict_New();
    for (int at = 0; components != NULL && at < COMPONENTS; at++) {
        PyObject *name = PyTuple_GET_ITEM(turn->trace->words->things[COMPONENT_NAMES], at);
        if (turn->sums[at] >= 0 && put(components, name, ms(times_ns[at])) < 0) {
            Py_CLEAR(components);
        }
    }
    return components;
}

static PyObject *tokens_of(const Turn *turn, int fact)
{
    const Tokens *tokens = &turn->tokens[fact];
    return tokens->known ? PyLong_FromLongLong(tokens->count) : Py_NewRef(Py_None);
}

/* Put what goes for all of the turn; takes nothing over, and does without what was not found. */
static void fill_whole(const Turn *turn, const Whole *whole, PyObject **fields)
{
    const Words *words = turn->trace->words;
    PyObject *sources = words->things[COST_SOURCES];
    fields[ROW_TURN_ID] = Py_NewRef(whole->turn_id);
    fields[ROW_TRACE_ID] = Py_NewRef(whole->trace_id);
    fields[ROW_SPAN_ID] = Py_NewRef(whole->span_id);
    fields[ROW_MODELS] = Py_NewRef(whole->models);
    fields[ROW_SESSION] = Py_NewRef(whole->session);
    fields[ROW_OUTCOME] = Py_NewRef(whole->outcome);
    fields[ROW_CATEGORIES] = Py_NewRef(whole->categories);
    fields[ROW_COST] = Py_NewRef(whole->cost);
    fields[ROW_COST_SOURCE] = known(whole->cost_rank < 0 ? NULL : PyTuple_GET_ITEM(sources, whole->cost_rank));
    fields[ROW_EFFICIENCY] = Py_NewRef(whole->efficiency);
    fields[ROW_QUALITY_SOURCE] = Py_NewRef(whole->quality_source);
    fields[ROW_VIOLATIONS] = Py_NewRef(whole->violations);
    fields[ROW_ESTIMATED] = Py_NewRef(whole->estimated);
}

static void fill_own(const Turn *turn, PyObject **fields)
{
    const Words *words = turn->trace->words;
    const Span *root = turn->root->span;
    fields[ROW_AGENT] = known(either(single(words, root, AGENT_NAME), first_below(turn, AGENT)));
    fields[ROW_START] = PyLong_FromLongLong(root->head.start_ns);
    fields[ROW_DURATION] = ms(duration_of(root));
    fields[ROW_COMPONENTS] = components_of(turn, turn->own);
    fields[ROW_SUMS] = turn->stacked ? components_of(turn, turn->sums) : Py_XNewRef(fields[ROW_COMPONENTS]);
    fields[ROW_UNATTRIBUTED] = ms(duration_of(root) - turn->attributed_ns);
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        fields[ROW_INPUT + fact] = tokens_of(turn, fact);
    }
    fields[ROW_TOOLS] = tuple_of(turn->tools, turn->tool_count);
    fields[ROW_SPANS] = PyLong_FromSsize_t(spans_of(turn));
    fields[ROW_REVISION] = PyLong_FromLong(1);
    fields[ROW_INCOMPLETE] = Py_NewRef(Py_False);
}

static PyObject *row_of(const Turn *turn, PyObject **fields)
{
    for (int at = 0; at < ROW_FIELDS; at++) {
        if (fields[at] == NULL) {
            return NULL;
        }
    }
    return PyObject_Vectorcall(turn->trace->words->things[ROW], fields, ROW_FIELDS, NULL);
}

Ending make_row(Turn *turn, PyObject **told)
{
    PyObject *fields[ROW_FIELDS] = {NULL};
    Whole whole = {.cost_rank = -1};
    Ending ending = sum_up(turn, turn->trace->words->things[CATEGORY_NAMES], &whole);
    if (ending == FINE) {
        fill_whole(turn, &whole, fields);
        fill_own(turn, fields);
        PyObject *row = row_of(turn, fields);
        PyObject *key = row == NULL ? NULL : ending_key(turn, whole.trace_id, whole.span_id);
        *told = key == NULL ? NULL : PyTuple_Pack(2, key, row);
        Py_XDECREF(row);
        Py_XDECREF(key);
        ending = *told == NULL ? FAILED : FINE;
    }
    for (int at = 0; at < ROW_FIELDS; at++) {
        Py_XDECREF(fields[at]);
    }
    whole_end(&whole);
    return ending;
}
