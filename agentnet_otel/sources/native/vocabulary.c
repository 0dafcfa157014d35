/* The attributes that count, by number: which those are, Python tells. */

#include "native.h"

PyTypeObject *vocabulary_type;

static int add_number(PyObject *numbers, PyObject *name, long number)
{
    PyObject *boxed = PyLong_FromLong(number);
    int done = boxed == NULL ? -1 : PyDict_SetItem(numbers, name, boxed);
    Py_XDECREF(boxed);
    return done;
}

static PyObject *numbers_of(PyObject *names, PyObject *odd)
{
    PyObject *numbers = PyDict_New(), *nothing = PyUnicode_FromString("");
    int done = numbers == NULL || nothing == NULL ? -1 : add_number(numbers, nothing, KEY_NOTHING);
    if (done == 0) {
        done = add_number(numbers, odd, KEY_ODD);
    }
    for (Py_ssize_t at = 0; done == 0 && at < PyTuple_GET_SIZE(names); at++) {
        done = add_number(numbers, PyTuple_GET_ITEM(names, at), (long)at);
    }
    Py_XDECREF(nothing);
    if (done < 0) {
        Py_CLEAR(numbers);
    }
    return numbers;
}

static PyObject *vocabulary_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"names", "odd", "statuses", NULL};
    PyObject *names, *odd, *statuses;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!UO!:Vocabulary", keywords, &PyTuple_Type, &names, &odd,
                                     &PyTuple_Type, &statuses)) {
        return NULL;
    }
    if (PyTuple_GET_SIZE(names) > MAX_KEYS || PyTuple_GET_SIZE(statuses) != MAX_STATUS + 1) {
        return PyErr_Format(PyExc_ValueError, "there are at most %d names, and %d statuses", MAX_KEYS, MAX_STATUS + 1);
    }
    Vocabulary *self = (Vocabulary *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->names = Py_NewRef(names);
    self->statuses = Py_NewRef(statuses);
    self->numbers = numbers_of(names, odd);
    if (self->numbers == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void vocabulary_dealloc(Vocabulary *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(self->names);
    Py_XDECREF(self->numbers);
    Py_XDECREF(self->statuses);
    type->tp_free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(vocabulary_doc,
"Vocabulary(names, odd, statuses)\n--\n\n"
"The keys of attributes that count, the key that marks an odd one, and what a span's status is by its code.\n\n"
"Raises:\n    ValueError: there are too many names, or too few statuses.");

static PyType_Slot vocabulary_slots[] = {
    {Py_tp_doc, (void *)vocabulary_doc},
    {Py_tp_new, vocabulary_new},
    {Py_tp_dealloc, vocabulary_dealloc},
    {0, NULL},
};

static PyType_Spec vocabulary_spec = {
    .name = "agentnet_otel.sources.native._native.Vocabulary",
    .basicsize = sizeof(Vocabulary),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = vocabulary_slots,
};

int vocabulary_ready(PyObject *module)
{
    vocabulary_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &vocabulary_spec, NULL);
    return vocabulary_type == NULL ? -1 : PyModule_AddObjectRef(module, "Vocabulary", (PyObject *)vocabulary_type);
}
