/* A span in as few bytes as it can be: ids and times as numbers, attributes by the numbers of their keys.

   To Python it is what `PlainSpan` is, field by field. Texts and the dict of attributes are made when they are asked
   for, and kept: rows need none of them. */

#include "native.h"

PyTypeObject *span_type;

Span *span_new(const SpanHead *head, Vocabulary *vocabulary, PyObject *origin, const Said *said, Py_ssize_t count)
{
    Span *self = PyObject_NewVar(Span, span_type, count);
    if (self == NULL) {
        return NULL;
    }
    self->head = *head;
    self->vocabulary = (Vocabulary *)Py_NewRef(vocabulary);
    self->origin = Py_NewRef(origin);
    self->events = self->what = self->attributes = self->trace_text = self->span_text = self->parent_text = NULL;
    for (Py_ssize_t at = 0; at < count; at++) {
        self->said[at] = said[at];
        Py_INCREF(said[at].value);
    }
    return self;
}

static void span_dealloc(Span *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF(self->vocabulary);
    Py_DECREF(self->origin);
    Py_XDECREF(self->events);
    Py_XDECREF(self->what);
    Py_XDECREF(self->attributes);
    Py_XDECREF(self->trace_text);
    Py_XDECREF(self->span_text);
    Py_XDECREF(self->parent_text);
    for (Py_ssize_t at = 0; at < Py_SIZE(self); at++) {
        Py_DECREF(self->said[at].value);
    }
    PyObject_Free(self);
    Py_DECREF(type);
}

/* --- ids as texts ------------------------------------------------------------------------------------------------ */

static PyObject *hex_of(const Byte *bytes, Py_ssize_t size)
{
    static const char digits[] = "0123456789abcdef";
    PyObject *text = PyUnicode_New(2 * size, 127);
    if (text != NULL) {
        Py_UCS1 *into = PyUnicode_1BYTE_DATA(text);
        for (Py_ssize_t at = 0; at < size; at++) {
            into[2 * at] = (Py_UCS1)digits[bytes[at] >> 4];
            into[2 * at + 1] = (Py_UCS1)digits[bytes[at] & 15];
        }
    }
    return text;
}

static PyObject *kept(PyObject **place, const Byte *bytes, Py_ssize_t size)
{
    if (*place == NULL) {
        *place = hex_of(bytes, size);
    }
    return Py_XNewRef(*place);
}

PyObject *span_trace_text(Span *self)
{
    return kept(&self->trace_text, self->head.trace_id, TRACE_ID_BYTES);
}

PyObject *span_span_text(Span *self)
{
    return kept(&self->span_text, self->head.span_id, SPAN_ID_BYTES);
}

PyObject *span_parent_text(Span *self)
{
    return kept(&self->parent_text, self->head.parent_id, self->head.has_parent ? SPAN_ID_BYTES : 0);
}

/* --- fields ------------------------------------------------------------------------------------------------------ */

static PyObject *get_trace_id(Span *self, void *Py_UNUSED(unused)) { return span_trace_text(self); }
static PyObject *get_span_id(Span *self, void *Py_UNUSED(unused)) { return span_span_text(self); }
static PyObject *get_empty(Span *Py_UNUSED(self), void *Py_UNUSED(unused)) { return PyUnicode_New(0, 0); }
static PyObject *get_flags(Span *self, void *Py_UNUSED(unused)) { return PyLong_FromUnsignedLong(self->head.flags); }
static PyObject *get_kind(Span *self, void *Py_UNUSED(unused)) { return PyLong_FromLong(self->head.kind); }
static PyObject *get_start(Span *self, void *Py_UNUSED(unused)) { return PyLong_FromLongLong(self->head.start_ns); }
static PyObject *get_end(Span *self, void *Py_UNUSED(unused)) { return PyLong_FromLongLong(self->head.end_ns); }

static PyObject *get_events(Span *self, void *Py_UNUSED(unused))
{
    return self->events == NULL ? PyTuple_New(0) : Py_NewRef(self->events);
}

static PyObject *get_parent(Span *self, void *Py_UNUSED(unused)) { return span_parent_text(self); }

static PyObject *get_status(Span *self, void *Py_UNUSED(unused))
{
    return Py_NewRef(PyTuple_GET_ITEM(self->vocabulary->statuses, self->head.status));
}

static PyObject *get_failed(Span *self, void *Py_UNUSED(unused))
{
    return PyBool_FromLong(self->head.status == MAX_STATUS);
}

static PyObject *get_remote(Span *self, void *Py_UNUSED(unused))
{
    if (!(self->head.flags & 0x100)) { /* whether the parent is remote is not told */
        Py_RETURN_NONE;
    }
    return PyBool_FromLong((self->head.flags & 0x200) != 0);
}

static PyObject *get_attributes(Span *self, void *Py_UNUSED(unused))
{
    if (self->attributes == NULL) {
        PyObject *attributes = PyDict_New();
        for (Py_ssize_t at = 0; attributes != NULL && at < Py_SIZE(self); at++) {
            PyObject *name = PyTuple_GET_ITEM(self->vocabulary->names, self->said[at].key);
            if (PyDict_SetItem(attributes, name, self->said[at].value) < 0) {
                Py_CLEAR(attributes);
            }
        }
        self->attributes = attributes;
    }
    return Py_XNewRef(self->attributes);
}

static PyGetSetDef span_fields[] = {
    {"trace_id", (getter)get_trace_id, NULL, "32 hexadecimal digits.", NULL},
    {"span_id", (getter)get_span_id, NULL, "16 hexadecimal digits.", NULL},
    {"parent_span_id", (getter)get_parent, NULL, "The same, empty of a root.", NULL},
    {"parent_is_remote", (getter)get_remote, NULL, "None where it is not told.", NULL},
    {"trace_state", (getter)get_empty, NULL, "Empty.", NULL},
    {"flags", (getter)get_flags, NULL, "As in OTLP.", NULL},
    {"name", (getter)get_empty, NULL, "Empty: nothing reads it.", NULL},
    {"kind", (getter)get_kind, NULL, "As OTLP numbers it.", NULL},
    {"start_ns", (getter)get_start, NULL, "Epoch nanoseconds.", NULL},
    {"end_ns", (getter)get_end, NULL, "Epoch nanoseconds.", NULL},
    {"status", (getter)get_status, NULL, "How it ended.", NULL},
    {"failed", (getter)get_failed, NULL, "Whether its status says so.", NULL},
    {"attributes", (getter)get_attributes, NULL, "Those that count.", NULL},
    {"events", (getter)get_events, NULL, "In their order.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef span_members[] = {
    {"origin", T_OBJECT_EX, offsetof(Span, origin), READONLY, "What it shares with other spans of its scope."},
    {"what", T_OBJECT_EX, offsetof(Span, what), 0, "What it is; not there before it is set."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot span_slots[] = {
    {Py_tp_doc, (void *)"A span; it has the fields of a `PlainSpan`."},
    {Py_tp_dealloc, span_dealloc},
    {Py_tp_getset, span_fields},
    {Py_tp_members, span_members},
    {0, NULL},
};

static PyType_Spec span_spec = {
    .name = "agentnet_otel.sources.native._native.Span",
    .basicsize = offsetof(Span, said),
    .itemsize = sizeof(Said),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = span_slots,
};

int span_ready(PyObject *module)
{
    span_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &span_spec, NULL);
    return span_type == NULL ? -1 : PyModule_AddObjectRef(module, "Span", (PyObject *)span_type);
}
