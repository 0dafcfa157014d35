/* Spans out of requests. How a request is written the format's own file knows; here is what both need. */

#include "native.h"

PyTypeObject *reader_type;

#define MAX_REMEMBERED 20000 /* bytes of a resource and a scope */

/* --- where spans come from --------------------------------------------------------------------------------------- */

static int scope_fill(Scope *scope, PyObject *told)
{
    if (!PyTuple_CheckExact(told) || PyTuple_GET_SIZE(told) != 5) {
        PyErr_SetString(PyExc_TypeError, "a scope is told as an origin, its pieces, whose it is, and who reads odd spans and events");
        return -1;
    }
    PyObject *pieces = PyTuple_GET_ITEM(told, 1);
    if (pieces != Py_None && Py_TYPE(pieces) != pieces_type) {
        PyErr_SetString(PyExc_TypeError, "pieces are looked up in Pieces, or not at all");
        return -1;
    }
    int ours = PyObject_IsTrue(PyTuple_GET_ITEM(told, 2));
    if (ours < 0) {
        return -1;
    }
    *scope = (Scope){
        .told = told,
        .origin = PyTuple_GET_ITEM(told, 0),
        .pieces = pieces == Py_None ? NULL : (Pieces *)pieces,
        .odd = PyTuple_GET_ITEM(told, 3),
        .events = PyTuple_GET_ITEM(told, 4),
        .ours = ours,
    };
    return 0;
}

Py_ssize_t scope_repeats(const PyObject *last, const Byte *at, Py_ssize_t room)
{
    Py_ssize_t size = last == NULL ? 0 : PyBytes_GET_SIZE(last);
    return size > 0 && size <= room && memcmp(PyBytes_AS_STRING(last), at, (size_t)size) == 0 ? size : 0;
}

static int is_last(const PyObject *last, const Byte *bytes, Py_ssize_t size)
{
    return PyBytes_GET_SIZE(last) == size && memcmp(PyBytes_AS_STRING(last), bytes, (size_t)size) == 0;
}

static void remember_told(Reader *reader, PyObject *resource, PyObject *name, PyObject *told)
{
    Py_XSETREF(reader->resource, Py_NewRef(resource));
    Py_XSETREF(reader->scope, Py_NewRef(name));
    Py_XSETREF(reader->told, Py_NewRef(told));
}

/* Ask Python; requests behind each other are mostly of one scope, which is asked for once. */
static PyObject *told_of(Reader *reader, const Byte *resource, Py_ssize_t resource_size, const Byte *name,
                         Py_ssize_t name_size)
{
    if (reader->told != NULL && is_last(reader->resource, resource, resource_size) &&
        is_last(reader->scope, name, name_size)) {
        return Py_NewRef(reader->told);
    }
    PyObject *resource_bytes = PyBytes_FromStringAndSize((const char *)resource, resource_size);
    PyObject *name_bytes = PyBytes_FromStringAndSize((const char *)name, name_size);
    PyObject *told = NULL;
    if (resource_bytes != NULL && name_bytes != NULL) {
        told = PyObject_CallFunctionObjArgs(reader->scope_of, resource_bytes, name_bytes, NULL);
    }
    if (told != NULL && resource_size + name_size <= MAX_REMEMBERED) {
        remember_told(reader, resource_bytes, name_bytes, told);
    }
    Py_XDECREF(resource_bytes);
    Py_XDECREF(name_bytes);
    return told;
}

int scope_ask(const Request *request, const Byte *resource, Py_ssize_t resource_size, const Byte *name,
              Py_ssize_t name_size, Scope *scope)
{
    PyObject *told = told_of(request->reader, resource, resource_size, name, name_size);
    if (told == NULL) {
        return -1;
    }
    if (scope_fill(scope, told) < 0) {
        Py_DECREF(told);
        return -1;
    }
    return 0;
}

void scope_release(Scope *scope)
{
    Py_CLEAR(scope->told);
}

/* --- a span being read ------------------------------------------------------------------------------------------- */

void draft_begin(Draft *draft)
{
    memset(&draft->head, 0, sizeof(draft->head));
    draft->seen = 0;
    draft->odd = draft->eventful = draft->skipped = 0;
    draft->count = 0;
}

void draft_end(Draft *draft)
{
    for (Py_ssize_t at = 0; at < draft->count; at++) {
        Py_DECREF(draft->said[at].value);
    }
    draft->count = 0;
}

void draft_pass(Draft *draft, Request *request)
{
    request->passed++;
    draft_end(draft);
}

/* Of a key that comes twice the last value counts. Takes over the value. */
static void put(Draft *draft, Said said)
{
    if (keyset_has(&draft->head.has, said.key)) {
        for (Py_ssize_t at = 0; at < draft->count; at++) {
            if (draft->said[at].key == said.key) {
                PyObject *before = draft->said[at].value;
                draft->said[at].value = said.value;
                Py_DECREF(before);
                return;
            }
        }
    }
    keyset_add(&draft->head.has, said.key);
    draft->said[draft->count++] = said; /* there are no more than there are keys */
}

/* Errors of reading make a span odd: whoever reads it in another way tells them, if they stay. */
static Ending forgive(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) {
        return FAILED;
    }
    PyErr_Clear();
    return UNUSUAL;
}

static void hear(Draft *draft, Said said)
{
    if (said.key == KEY_ODD) {
        draft->odd = 1;
    }
    else if (said.key != KEY_NOTHING) {
        put(draft, said);
    }
}

Ending draft_say(Draft *draft, Pieces *pieces, const Byte *bytes, Py_ssize_t size)
{
    Said said;
    if (draft->skipped) {
        pieces_pass(pieces, bytes, size);
        return FINE;
    }
    if (pieces_look_up(pieces, bytes, size, &said) != FINE) {
        return forgive();
    }
    hear(draft, said);
    return FINE;
}

Py_ssize_t draft_expect(Draft *draft, Pieces *pieces, const Byte *bytes, Py_ssize_t room, const char *close)
{
    Said said;
    Py_ssize_t size = pieces_expect(pieces, bytes, room, close, &said);
    if (size >= 0 && draft->skipped) {
        Py_XDECREF(said.value);
    }
    else if (size >= 0) {
        hear(draft, said);
    }
    return size;
}

static PyObject *made_of(Draft *draft, Request *request, const Scope *scope, const Byte *bytes, Py_ssize_t size)
{
    if (draft->odd) {
        return PyObject_CallFunction(scope->odd, "y#", (const char *)bytes, size);
    }
    draft->head.ours = (Byte)scope->ours;
    int says = scope->ours || keyset_has(&draft->head.has, request->reader->operation);
    if (!says) {
        memset(&draft->head.has, 0, sizeof(draft->head.has));
    }
    Vocabulary *vocabulary = pieces_vocabulary(scope->pieces);
    Span *span = span_new(&draft->head, vocabulary, scope->origin, draft->said, says ? draft->count : 0);
    if (span != NULL && draft->eventful) {
        span->events = PyObject_CallFunction(scope->events, "y#", (const char *)bytes, size);
        if (span->events == NULL) {
            Py_CLEAR(span);
        }
    }
    return (PyObject *)span;
}

/* Put a span that was read to the others; `bytes` are all of it. */
Ending draft_keep(Draft *draft, Request *request, const Scope *scope, const Byte *bytes, Py_ssize_t size)
{
    request->passed++;
    if (draft->skipped) {
        return FINE;
    }
    PyObject *span = made_of(draft, request, scope, bytes, size);
    if (span == NULL) {
        return FAILED;
    }
    int done = PyList_Append(request->spans, span);
    Py_DECREF(span);
    return done < 0 ? FAILED : FINE;
}

/* --- the type ---------------------------------------------------------------------------------------------------- */

typedef Ending (*ReadRequest)(Request *request, const Byte *data, Py_ssize_t size);

static PyObject *read_with(Reader *self, PyObject *data, ReadRequest read)
{
    if (!PyBytes_Check(data)) {
        return PyErr_Format(PyExc_TypeError, "a request is bytes");
    }
    Request request = {.reader = self, .spans = PyList_New(0), .passed = 0};
    if (request.spans == NULL) {
        return NULL;
    }
    Ending ending = read(&request, (const Byte *)PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data));
    if (ending == FINE) {
        return Py_BuildValue("(Nn)", request.spans, request.passed);
    }
    Py_DECREF(request.spans);
    if (ending == FAILED) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(json_doc,
"json(data, /)\n--\n\n"
"The spans of a request in OTLP JSON that are taken, and how many there are in all; None where anything is unusual.\n\n"
"Raises:\n    Exception: whatever reading a scope, or an odd span, raises.");

static PyObject *reader_json(Reader *self, PyObject *data)
{
    return read_with(self, data, read_json);
}

PyDoc_STRVAR(protobuf_doc,
"protobuf(data, /)\n--\n\n"
"The same of a request in OTLP protobuf.\n\n"
"Raises:\n    Exception: whatever reading a scope, or an odd span, raises.");

static PyObject *reader_protobuf(Reader *self, PyObject *data)
{
    return read_with(self, data, read_protobuf);
}

static int fill_takes(Reader *self, PyObject *takes)
{
    self->takes_all = takes == Py_None;
    if (self->takes_all) {
        return 0;
    }
    if (!PyBytes_Check(takes)) {
        PyErr_SetString(PyExc_TypeError, "what is taken are bytes, or None for all");
        return -1;
    }
    for (Py_ssize_t at = 0; at < PyBytes_GET_SIZE(takes); at++) {
        self->takes[(Byte)PyBytes_AS_STRING(takes)[at]] = 1;
    }
    return 0;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"scope_of", "operation", "takes", "passes", NULL};
    PyObject *scope_of, *takes;
    int operation, passes = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OiO|p:Reader", keywords, &scope_of, &operation, &takes, &passes)) {
        return NULL;
    }
    if (operation < 0 || operation >= MAX_KEYS) {
        return PyErr_Format(PyExc_ValueError, "there is no key %d", operation);
    }
    Reader *self = (Reader *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->scope_of = Py_NewRef(scope_of);
    self->operation = operation;
    self->passes = passes;
    if (fill_takes(self, takes) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int reader_traverse(Reader *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->scope_of);
    Py_VISIT(self->told);
    return 0;
}

static int reader_clear(Reader *self)
{
    Py_CLEAR(self->scope_of);
    Py_CLEAR(self->told);
    return 0;
}

static void reader_dealloc(Reader *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->scope_of);
    Py_XDECREF(self->resource);
    Py_XDECREF(self->scope);
    Py_XDECREF(self->told);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef reader_methods[] = {
    {"json", (PyCFunction)reader_json, METH_O, json_doc},
    {"protobuf", (PyCFunction)reader_protobuf, METH_O, protobuf_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(reader_doc,
"Reader(scope_of, operation, takes, passes=False)\n--\n\n"
"Reads spans out of requests of one format. ``scope_of`` tells of the bytes of a resource and of a scope: the origin\n"
"of its spans, their `Pieces` or None, whether they are ours, and what reads, of the bytes of one, an odd span, or its\n"
"events; it is not asked twice running for the same. ``operation``: the number of the key without which a span of others says nothing.\n"
"``takes``: last bytes of the trace ids that are taken, or None; ``passes``: whether other spans are passed without a\n"
"look, so that what is wrong in them is for others to tell.\n\n"
"Raises:\n    ValueError: there is no such key.");

static PyType_Slot reader_slots[] = {
    {Py_tp_doc, (void *)reader_doc},
    {Py_tp_new, reader_new},
    {Py_tp_traverse, reader_traverse},
    {Py_tp_clear, reader_clear},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_methods, reader_methods},
    {0, NULL},
};

static PyType_Spec reader_spec = {
    .name = "agentnet_otel.sources.native._native.Reader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = reader_slots,
};

int reader_ready(PyObject *module)
{
    reader_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &reader_spec, NULL);
    return reader_type == NULL ? -1 : PyModule_AddObjectRef(module, "Reader", (PyObject *)reader_type);
}
