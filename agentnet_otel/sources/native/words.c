/* What Python tells of turns: words, keys, formulas and classes. `native/turns.py` says what each of it is. */

#include "turns.h"

static const char *const single_names[SINGLE_KEYS] = {
    "turn_id", "agent_name", "operation", "component", "request_model", "response_model", "outcome", "violations",
    "estimated", "category", "cost_source", "turn_cost", "turn_cost_source", "batch", "efficiency", "quality_source",
    "quality", "confidence", "error_type", "prompt_length", "response_length", "first_token", "attempts",
    "tool_outcome", "fallback", "interrupted", "recorded", "sampling"
};

static const char *const fact_names[FACTS] = {
    "agent", "session", "subject", "input", "output", "cached", "reasoning", "cost", "provider", "first_chunk"
};

static const char *const thing_names[THINGS] = {
    "row", "component_names", "component_members", "kinds_of_others", "kinds_of_ours", "workflow", "category_names",
    "category_members", "category_numbers", "outcomes", "cost_sources", "cost_members", "cost_ranks", "quality_sources",
    "no_subject", "service_name", "price", "efficiency_of", "outcome_of", "first_token_ns", "sum", "assumed_quality",
    "no_usage", "went_well", "went_wrong", "row_of_odd", "whole_of_odd"
};

static const char *const class_names[CLASSES] = {"turn", "usage", "step", "model_call", "share", "tool_call"};
static const int class_sizes[CLASSES] = {46, 4, 3, 6, 3, 4};

/* --- objects of Python's classes ---------------------------------------------------------------------------------- */

/* Slots of a new object are filled one by one: what a frozen class guards against is changing them later. */
static PyObject *filled(const Class *class, PyObject *const *values)
{
    PyObject *object = class->type->tp_alloc(class->type, 0);
    for (int at = 0; object != NULL && at < class->count; at++) {
        if (Py_TYPE(class->places[at])->tp_descr_set(class->places[at], object, values[at]) < 0) {
            Py_CLEAR(object);
        }
    }
    return object;
}

PyObject *make(const Words *words, int class, PyObject *const *values)
{
    const Class *found = &words->classes[class];
    if (found->filled) {
        return filled(found, values);
    }
    return PyObject_Vectorcall((PyObject *)found->type, values, 0, found->names);
}

static int is_slot(PyObject *found)
{
    return Py_TYPE(found) == &PyMemberDescr_Type && Py_TYPE(found)->tp_descr_set != NULL;
}

/* Whether all fields are slots of a class that has no others, and does nothing when an object is made. */
static int find_places(Class *class, int is_plain)
{
    class->filled = is_plain;
    for (int at = 0; at < class->count && class->filled; at++) {
        PyObject *found = PyDict_GetItemWithError(class->type->tp_dict, PyTuple_GET_ITEM(class->names, at));
        if (found == NULL && PyErr_Occurred()) {
            return -1;
        }
        class->filled = found != NULL && is_slot(found);
        class->places[at] = found; /* the class holds it, and is held */
    }
    return 0;
}

/* A class is told as itself, the names of its fields, and whether its objects may be made by filling their slots. */
static int fill_class(Class *class, PyObject *told, int size)
{
    PyObject *type, *names;
    int is_plain;
    if (!PyTuple_Check(told) || !PyArg_ParseTuple(told, "O!O!p", &PyType_Type, &type, &PyTuple_Type, &names, &is_plain)) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a class is told as a tuple");
        }
        return -1;
    }
    if (PyTuple_GET_SIZE(names) != size) {
        PyErr_Format(PyExc_ValueError, "%s has %d fields here", ((PyTypeObject *)type)->tp_name, size);
        return -1;
    }
    class->type = (PyTypeObject *)Py_NewRef(type);
    class->names = Py_NewRef(names);
    class->count = size;
    return find_places(class, is_plain);
}

static PyObject *named(PyObject *dict, const char *name) /* borrowed */
{
    PyObject *found = PyDict_GetItemString(dict, name);
    if (found == NULL) {
        PyErr_Format(PyExc_TypeError, "turns have to be told %s", name);
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

static int fill_single(Words *self, PyObject *single)
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

static int fill_facts(Words *self, PyObject *facts)
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

static int fill_spending(Words *self, PyObject *names)
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

static int fill_categories_told(Words *self, PyObject *names)
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

static int fill_things(Words *self, PyObject *things)
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
        !has_size(self->things[COMPONENT_MEMBERS], COMPONENTS) ||
        !has_size(self->things[CATEGORY_MEMBERS], CATEGORIES) || !has_size(self->things[COST_MEMBERS], sources) ||
        !PyDict_CheckExact(self->things[KINDS_OF_OTHERS]) || !PyDict_CheckExact(self->things[KINDS_OF_OURS]) ||
        !PyDict_CheckExact(self->things[CATEGORY_NUMBERS]) || !PyDict_CheckExact(self->things[COST_RANKS]) ||
        !PyDict_CheckExact(self->things[OUTCOMES]) ||
        !PyDict_CheckExact(self->things[QUALITY_SOURCES]) || !PyUnicode_CheckExact(self->things[WORKFLOW]) ||
        self->told_cost < 0 || self->told_cost >= sources) {
        PyErr_SetString(PyExc_TypeError, "turns are told of something that is of another type or size");
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

static int check_numbers(const Words *self)
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

static int fill_classes(Words *self, PyObject *classes)
{
    for (int at = 0; at < CLASSES; at++) {
        PyObject *told = named(classes, class_names[at]);
        if (told == NULL || fill_class(&self->classes[at], told, class_sizes[at]) < 0) {
            return -1;
        }
    }
    return 0;
}

int fill_words(Words *self, PyObject *const *told)
{
    return fill_single(self, told[0]) < 0 || fill_facts(self, told[1]) < 0 || fill_spending(self, told[2]) < 0 ||
                   fill_categories_told(self, told[3]) < 0 || fill_things(self, told[4]) < 0 ||
                   check_numbers(self) < 0 || fill_classes(self, told[5]) < 0
               ? -1
               : 0;
}
