/* From the spans of a trace straight to its turns: what `plain_turns` and `plain_whole` do, for traces of `Span`s alone.

   Done is what is done for every turn. Words, keys, formulas and classes are told by Python (`native/turns.py`), and
   what is seldom is `UNUSUAL`: a turn of which it is (a turn in it, components that overlap, a sum that is too large) is
   told by Python, and all of a trace that is not understood. Tests compare both on whatever spans may say. */

#include "turns.h"

PyTypeObject *turns_type;

/* The spans of turns in a turn, or else those below it, in their order. */
static PyObject *spans_in(const Turn *turn, int place, int nested)
{
    const Trace *trace = turn->trace;
    PyObject *spans = PyList_New(0);
    for (Py_ssize_t at = 0; spans != NULL && at < trace->count; at++) {
        const Node *node = &trace->nodes[at];
        if (node->turn == place && (node->what == TURN) == nested && PyList_Append(spans, (PyObject *)node->span) < 0) {
            Py_CLEAR(spans);
        }
    }
    return spans;
}

/* A turn of which something is unusual, as Python tells it. */
static Ending make_odd(const Turn *turn, int place, PyObject *odd, PyObject **told)
{
    Ending ending = FINE;
    PyObject *session = session_around(turn, &ending);
    if (ending != FINE) {
        return ending;
    }
    PyObject *below = spans_in(turn, place, 0), *nested = spans_in(turn, place, 1), *made = NULL;
    if (below != NULL && nested != NULL) {
        PyObject *arguments[] = {(PyObject *)turn->root->span, below, nested, either(session, Py_None),
                                 turn->trace->prices};
        made = PyObject_Vectorcall(odd, arguments, sizeof(arguments) / sizeof(*arguments), NULL);
    }
    Py_XDECREF(below);
    Py_XDECREF(nested);
    ending = made == NULL ? FAILED : UNUSUAL;
    if (made != NULL && PyTuple_CheckExact(made) && PyTuple_GET_SIZE(made) == 2) {
        turn->trace->clipped += PyLong_AsSsize_t(PyTuple_GET_ITEM(made, 1));
        *told = Py_NewRef(PyTuple_GET_ITEM(made, 0));
        ending = PyErr_Occurred() ? FAILED : FINE;
    }
    Py_XDECREF(made);
    return ending;
}

static Ending tell_turn(Trace *trace, int place, MakeTurn make_turn, PyObject *told)
{
    Turn turn;
    PyObject *made = NULL;
    turn_begin(&turn, trace, place);
    Ending ending = analyse(&turn);
    if (ending == FINE) {
        ending = make_turn(&turn, &made);
    }
    if (ending == UNUSUAL) {
        ending = make_odd(&turn, place, trace->words->things[make_turn == make_row ? ROW_OF_ODD : WHOLE_OF_ODD], &made);
    }
    if (ending == FINE) {
        ending = PyList_Append(told, made) < 0 ? FAILED : FINE;
    }
    Py_XDECREF(made);
    turn_end(&turn);
    return ending;
}

static Ending tell_all(Trace *trace, PyObject *spans, MakeTurn make_turn, PyObject *told)
{
    Ending ending = understand_trace(trace, spans);
    for (Py_ssize_t at = 0; ending == FINE && at < trace->count; at++) {
        if (trace->nodes[at].what == TURN) {
            ending = tell_turn(trace, (int)at, make_turn, told);
        }
    }
    return ending;
}

static PyObject *turns_of(Words *self, PyObject *const *args, Py_ssize_t count, MakeTurn make_turn)
{
    if (count != 2 || !PyList_CheckExact(args[0])) {
        return PyErr_Format(PyExc_TypeError, "turns are of a list of spans, and prices");
    }
    Trace trace;
    trace.words = self;
    trace.prices = args[1];
    trace.count = trace.outside = trace.clipped = 0;
    memset(trace.places, 0, sizeof(trace.places));
    PyObject *held = PyList_GetSlice(args[0], 0, PyList_GET_SIZE(args[0])); /* what is called may change the list */
    PyObject *told = PyList_New(0);
    Ending ending = held == NULL || told == NULL ? FAILED : tell_all(&trace, held, make_turn, told);
    Py_XDECREF(held);
    if (ending == FINE) {
        return Py_BuildValue("(Nnn)", told, trace.outside, trace.clipped);
    }
    Py_XDECREF(told);
    if (ending == FAILED) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* --- the type ---------------------------------------------------------------------------------------------------- */

static PyObject *turns_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"vocabulary", "single", "facts", "spending", "categories", "things", "classes",
                               "inference", "tool", "orchestration", "reasoning", "client", "told_cost", "purposeful",
                               NULL};
    PyObject *vocabulary, *told[6]; /* the rest, in this order */
    int numbers[7];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!OOO!O!iiiiiii:Turns", keywords, vocabulary_type, &vocabulary,
                                     &PyDict_Type, &told[0], &PyDict_Type, &told[1], &told[2], &told[3], &PyDict_Type,
                                     &told[4], &PyDict_Type, &told[5], &numbers[0], &numbers[1], &numbers[2],
                                     &numbers[3], &numbers[4], &numbers[5], &numbers[6])) {
        return NULL;
    }
    Words *self = (Words *)type->tp_alloc(type, 0);
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
    self->purposeful = numbers[6];
    if (fill_words(self, told) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int turns_traverse(Words *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->vocabulary);
    for (int at = 0; at < THINGS; at++) {
        Py_VISIT(self->things[at]);
    }
    for (int at = 0; at < CLASSES; at++) {
        Py_VISIT(self->classes[at].type);
    }
    return 0;
}

static int turns_clear(Words *self)
{
    for (int at = 0; at < THINGS; at++) {
        Py_CLEAR(self->things[at]);
    }
    return 0;
}

static void turns_dealloc(Words *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    turns_clear(self);
    for (int at = 0; at < CLASSES; at++) {
        Py_XDECREF(self->classes[at].type);
        Py_XDECREF(self->classes[at].names);
    }
    Py_XDECREF(self->vocabulary);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(rows_doc,
"rows(spans, prices, /)\n--\n\n"
"The rows of all turns of a trace, each with its place in the order of ending, how many calls lie in none of them, and\n"
"how many spans were clipped; None where that is not so simple. ``prices`` are handed to what tells a price, unless\n"
"they are None, and to what tells of single turns that are not so simple.\n\n"
"Raises:\n    Exception: whatever what it was given raises.");

static PyObject *turns_rows(Words *self, PyObject *const *args, Py_ssize_t count)
{
    return turns_of(self, args, count, make_row);
}

PyDoc_STRVAR(whole_doc,
"whole(spans, prices, /)\n--\n\n"
"The same with the turns as they are.\n\n"
"Raises:\n    Exception: whatever what it was given raises.");

static PyObject *turns_whole(Words *self, PyObject *const *args, Py_ssize_t count)
{
    return turns_of(self, args, count, make_whole);
}

static PyMethodDef turns_methods[] = {
    {"rows", (PyCFunction)(void (*)(void))turns_rows, METH_FASTCALL, rows_doc},
    {"whole", (PyCFunction)(void (*)(void))turns_whole, METH_FASTCALL, whole_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(turns_doc,
"Turns(vocabulary, single, facts, spending, categories, things, classes, inference, tool, orchestration, reasoning,\n"
"client, told_cost, purposeful)\n--\n\n"
"Makes turns of traces. `native/turns.py` says what each of these is.\n\n"
"Raises:\n"
"    TypeError: something is missing, or of another type.\n"
"    ValueError: a key or a number is none of those that there are.");

static PyType_Slot turns_slots[] = {
    {Py_tp_doc, (void *)turns_doc},
    {Py_tp_new, turns_new},
    {Py_tp_traverse, turns_traverse},
    {Py_tp_clear, turns_clear},
    {Py_tp_dealloc, turns_dealloc},
    {Py_tp_methods, turns_methods},
    {0, NULL},
};

static PyType_Spec turns_spec = {
    .name = "agentnet_otel.sources.native._native.Turns",
    .basicsize = sizeof(Words),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = turns_slots,
};

int turns_ready(PyObject *module)
{
    turns_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &turns_spec, NULL);
    return turns_type == NULL ? -1 : PyModule_AddObjectRef(module, "Turns", (PyObject *)turns_type);
}
