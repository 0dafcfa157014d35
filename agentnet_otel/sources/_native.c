/* What costs most in reading, in C: cutting the encoded attributes of spans apart, and looking the pieces up.

   `pieces.py` has the same in Python, which is used where this was not built, and says what it is for. Nothing is
   decided here: what a piece says is asked of Python, once; what is not of the expected form is left to it as a whole.
   No byte is read beyond the end of what is given, whatever it holds. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x030E0000
#define HASH_BYTES(bytes, size) Py_HashBuffer(bytes, size)
#else
/* It has no public name before, and since 3.13 no public declaration. */
extern Py_hash_t _Py_HashBytes(const void *, Py_ssize_t);
#define HASH_BYTES(bytes, size) _Py_HashBytes(bytes, size)
#endif

#define INTERFACE 1 /* as in `pieces.py` */
#define FIRST_SLOTS 1024 /* a power of two; there are always at least twice as many slots as pieces */

typedef struct {
    Py_hash_t hash;
    PyObject *piece; /* bytes; NULL where the slot is free */
    PyObject *key;   /* a text, empty where nothing reads the attribute */
    PyObject *value;
} Slot;

typedef struct {
    PyObject_HEAD
    PyObject *read;
    Py_ssize_t limit;
    Py_ssize_t longest;
    Py_ssize_t used;
    size_t mask;
    Slot *slots;
} Pieces;

/* --- the table: open addressing, the hash is the one that Python has for bytes, with its secret ------------------- */

static Slot *find(const Pieces *self, Py_hash_t hash, const char *bytes, Py_ssize_t size)
{
    size_t at = (size_t)hash & self->mask;
    for (;;) {
        Slot *slot = &self->slots[at];
        if (slot->piece == NULL) {
            return slot;
        }
        if (slot->hash == hash && PyBytes_GET_SIZE(slot->piece) == size &&
            memcmp(PyBytes_AS_STRING(slot->piece), bytes, (size_t)size) == 0) {
            return slot;
        }
        at = (at + 1) & self->mask;
    }
}

static void release(Slot *slots, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        Py_XDECREF(slots[at].piece);
        Py_XDECREF(slots[at].key);
        Py_XDECREF(slots[at].value);
    }
    PyMem_Free(slots);
}

/* Slots may be given up by code that runs Python: they are taken out of the table before. */
static int forget(Pieces *self)
{
    Slot *fresh = PyMem_Calloc(FIRST_SLOTS, sizeof(Slot));
    if (fresh == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    Slot *old = self->slots;
    size_t count = old == NULL ? 0 : self->mask + 1;
    self->slots = fresh;
    self->mask = FIRST_SLOTS - 1;
    self->used = 0;
    release(old, count);
    return 0;
}

static int grow(Pieces *self)
{
    size_t count = (self->mask + 1) * 2;
    Slot *fresh = PyMem_Calloc(count, sizeof(Slot));
    if (fresh == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t from = 0; from <= self->mask; from++) {
        if (self->slots[from].piece != NULL) {
            size_t at = (size_t)self->slots[from].hash & (count - 1);
            while (fresh[at].piece != NULL) {
                at = (at + 1) & (count - 1);
            }
            fresh[at] = self->slots[from];
        }
    }
    PyMem_Free(self->slots);
    self->slots = fresh;
    self->mask = count - 1;
    return 0;
}

/* Remember what a piece says. Steals nothing. */
static int remember(Pieces *self, Py_hash_t hash, PyObject *piece, PyObject *key, PyObject *value)
{
    if (self->used >= self->limit && forget(self) < 0) {
        return -1;
    }
    if ((size_t)self->used * 2 > self->mask && grow(self) < 0) {
        return -1;
    }
    Slot *slot = find(self, hash, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece));
    if (slot->piece == NULL) {
        *slot = (Slot){hash, Py_NewRef(piece), Py_NewRef(key), Py_NewRef(value)};
        self->used++;
    }
    return 0;
}

/* --- what a piece says ------------------------------------------------------------------------------------------- */

static int put(PyObject *mapping, PyObject *key, PyObject *value)
{
    return PyUnicode_GET_LENGTH(key) == 0 ? 0 : PyDict_SetItem(mapping, key, value);
}

/* Ask Python, which may run anything: nothing of the table is held on to. */
static int put_unknown(Pieces *self, PyObject *mapping, Py_hash_t hash, const char *bytes, Py_ssize_t size)
{
    PyObject *piece = PyBytes_FromStringAndSize(bytes, size);
    if (piece == NULL) {
        return -1;
    }
    PyObject *said = PyObject_CallOneArg(self->read, piece);
    int done = -1;
    if (said == NULL) {
        /* its error is told */
    }
    else if (!PyTuple_CheckExact(said) || PyTuple_GET_SIZE(said) != 2 || !PyUnicode_CheckExact(PyTuple_GET_ITEM(said, 0))) {
        PyErr_SetString(PyExc_TypeError, "a piece is read as a key, which is a text, and a value");
    }
    else {
        PyObject *key = PyTuple_GET_ITEM(said, 0), *value = PyTuple_GET_ITEM(said, 1);
        if (size > self->longest || remember(self, hash, piece, key, value) == 0) {
            done = put(mapping, key, value);
        }
    }
    Py_XDECREF(said);
    Py_DECREF(piece);
    return done;
}

static int put_piece(Pieces *self, PyObject *mapping, const char *bytes, Py_ssize_t size)
{
    if (size > self->longest) {
        return put_unknown(self, mapping, 0, bytes, size);
    }
    Py_hash_t hash = HASH_BYTES(bytes, size);
    Slot *slot = find(self, hash, bytes, size);
    if (slot->piece == NULL) {
        return put_unknown(self, mapping, hash, bytes, size);
    }
    return put(mapping, slot->key, slot->value);
}

/* --- cutting ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *start, *between;
    size_t start_size, between_size;
} Form;

#define FORM(start, between) {start, between, sizeof(start) - 1, sizeof(between) - 1}

/* Without spaces, and as Python's json writes them. */
static const Form forms[] = {
    FORM("[{\"key\":\"", "}},{\"key\":\""),
    FORM("[{\"key\": \"", "}}, {\"key\": \""),
};
static const char ending[] = "}}]";
#define ENDING_SIZE (sizeof(ending) - 1)

static const Form *form_of(const char *bytes, Py_ssize_t size)
{
    for (size_t at = 0; at < sizeof(forms) / sizeof(*forms); at++) {
        size_t start_size = forms[at].start_size;
        if ((size_t)size >= start_size + ENDING_SIZE && memcmp(bytes, forms[at].start, start_size) == 0) {
            return memcmp(bytes + size - ENDING_SIZE, ending, ENDING_SIZE) == 0 ? &forms[at] : NULL;
        }
    }
    return NULL;
}

/* Where the piece that begins at `at` ends: before what stands between two pieces, else at the end of all. */
static const char *end_of_piece(const Form *form, const char *at, const char *end)
{
    for (;;) {
        at = memchr(at, '}', (size_t)(end - at));
        if (at == NULL || (size_t)(end - at) < form->between_size) {
            return end;
        }
        if (memcmp(at, form->between, form->between_size) == 0) {
            return at;
        }
        at++;
    }
}

static int put_all(Pieces *self, PyObject *mapping, const Form *form, const char *bytes, Py_ssize_t size)
{
    const char *at = bytes + form->start_size, *end = bytes + size - ENDING_SIZE;
    for (;;) {
        const char *stop = end_of_piece(form, at, end);
        if (put_piece(self, mapping, at, stop - at) < 0) {
            return -1;
        }
        if (stop == end) {
            return 0;
        }
        at = stop + form->between_size;
    }
}

PyDoc_STRVAR(mapping_doc,
"mapping(encoded, /)\n--\n\n"
"The attributes of a span; None where they are not written in one of the usual ways.\n\n"
"Raises:\n    Exception: whatever ``read`` raises.");

static PyObject *Pieces_mapping(Pieces *self, PyObject *encoded)
{
    Py_buffer view;
    if (PyObject_GetBuffer(encoded, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *mapping = NULL;
    const Form *form = form_of(view.buf, view.len);
    if (form == NULL) {
        mapping = Py_NewRef(Py_None);
    }
    else if ((mapping = PyDict_New()) != NULL && put_all(self, mapping, form, view.buf, view.len) < 0) {
        Py_CLEAR(mapping);
    }
    PyBuffer_Release(&view);
    return mapping;
}

PyDoc_STRVAR(mapping_of_doc,
"mapping_of(pieces, /)\n--\n\n"
"The same of a list of pieces that were cut already.\n\n"
"Raises:\n    Exception: whatever ``read`` raises.");

static PyObject *Pieces_mapping_of(Pieces *self, PyObject *pieces)
{
    if (!PyList_CheckExact(pieces)) {
        PyErr_SetString(PyExc_TypeError, "pieces are a list of bytes");
        return NULL;
    }
    PyObject *mapping = PyDict_New();
    for (Py_ssize_t at = 0; mapping != NULL && at < PyList_GET_SIZE(pieces); at++) {
        PyObject *piece = Py_NewRef(PyList_GET_ITEM(pieces, at)); /* reading may change the list */
        if (!PyBytes_CheckExact(piece)) {
            PyErr_SetString(PyExc_TypeError, "pieces are a list of bytes");
            Py_CLEAR(mapping);
        }
        else if (put_piece(self, mapping, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece)) < 0) {
            Py_CLEAR(mapping);
        }
        Py_DECREF(piece);
    }
    return mapping;
}

/* --- the type ---------------------------------------------------------------------------------------------------- */

static int Pieces_init(Pieces *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"read", "limit", "longest", NULL};
    PyObject *read;
    Py_ssize_t limit, longest;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Onn:Pieces", names, &read, &limit, &longest)) {
        return -1;
    }
    if (limit < 1) {
        PyErr_SetString(PyExc_ValueError, "the limit is a number of pieces, at least 1");
        return -1;
    }
    self->read = Py_NewRef(read);
    self->limit = limit;
    self->longest = longest;
    return forget(self);
}

static PyObject *Pieces_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Pieces *self = (Pieces *)type->tp_alloc(type, 0);
    if (self != NULL && Pieces_init(self, args, kwargs) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int Pieces_traverse(Pieces *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->read);
    for (size_t at = 0; self->slots != NULL && at <= self->mask; at++) {
        Py_VISIT(self->slots[at].value); /* pieces and keys refer to nothing */
    }
    return 0;
}

static int Pieces_clear(Pieces *self)
{
    Py_CLEAR(self->read);
    return 0;
}

static void Pieces_dealloc(Pieces *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->read);
    if (self->slots != NULL) {
        release(self->slots, self->mask + 1);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t Pieces_length(Pieces *self)
{
    return self->used;
}

static PyMethodDef Pieces_methods[] = {
    {"mapping", (PyCFunction)Pieces_mapping, METH_O, mapping_doc},
    {"mapping_of", (PyCFunction)Pieces_mapping_of, METH_O, mapping_of_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(Pieces_doc,
"Pieces(read, limit, longest)\n--\n\n"
"What pieces of attributes say; ``read`` tells it of bytes, once for each of those that are remembered: at most ``limit``\n"
"of at most ``longest`` bytes.");

static PyType_Slot Pieces_slots[] = {
    {Py_tp_doc, (void *)Pieces_doc},
    {Py_tp_new, Pieces_new},
    {Py_tp_traverse, Pieces_traverse},
    {Py_tp_clear, Pieces_clear},
    {Py_tp_dealloc, Pieces_dealloc},
    {Py_tp_methods, Pieces_methods},
    {Py_sq_length, Pieces_length},
    {0, NULL},
};

static PyType_Spec Pieces_spec = {
    .name = "agentnet_otel.sources._native.Pieces",
    .basicsize = sizeof(Pieces),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Pieces_slots,
};

/* --- counting ---------------------------------------------------------------------------------------------------- */

/* Sums of one byte are what compilers can make wide: so many at once cannot overflow. */
static Py_ssize_t count_byte(const unsigned char *at, Py_ssize_t size, unsigned char wanted)
{
    const unsigned char *end = at + size;
    Py_ssize_t count = 0;
    while (at < end) {
        const unsigned char *stop = end - at > 255 ? at + 255 : end;
        unsigned char some = 0;
        for (; at < stop; at++) {
            some += *at == wanted;
        }
        count += some;
    }
    return count;
}

PyDoc_STRVAR(count_doc, "count_bytes(data, wanted, /)\n--\n\nHow many bytes of ``data`` are one of those of ``wanted``.");

static PyObject *count_bytes(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyBytes_Check(args[0]) || !PyBytes_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "count_bytes takes bytes, and bytes to count in them");
        return NULL;
    }
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(args[0]);
    Py_ssize_t found = 0;
    for (Py_ssize_t at = 0; at < PyBytes_GET_SIZE(args[1]); at++) {
        found += count_byte(data, PyBytes_GET_SIZE(args[0]), (unsigned char)PyBytes_AS_STRING(args[1])[at]);
    }
    return PyLong_FromSsize_t(found);
}

/* --- ids --------------------------------------------------------------------------------------------------------- */

static int is_id(PyObject *text, Py_ssize_t digits)
{
    if (!PyUnicode_CheckExact(text) || !PyUnicode_IS_ASCII(text) || PyUnicode_GET_LENGTH(text) != digits) {
        return 0;
    }
    const Py_UCS1 *at = PyUnicode_1BYTE_DATA(text), *end = at + digits;
    int zero = 1;
    for (; at < end; at++) {
        if (!((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'))) {
            return 0;
        }
        zero &= *at == '0';
    }
    return !zero;
}

PyDoc_STRVAR(ids_doc,
"are_ids(texts, digits, /)\n--\n\n"
"Whether all texts of a list are hexadecimal numbers of so many digits, in lower case and not 0.");

static PyObject *are_ids(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "are_ids takes a list of texts, and how many digits each has");
        return NULL;
    }
    Py_ssize_t digits = PyLong_AsSsize_t(args[1]);
    if (digits == -1 && PyErr_Occurred()) {
        return NULL;
    }
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(args[0]); at++) {
        if (!is_id(PyList_GET_ITEM(args[0], at), digits)) {
            Py_RETURN_FALSE;
        }
    }
    Py_RETURN_TRUE;
}

static PyMethodDef functions[] = {
    {"are_ids", (PyCFunction)(void (*)(void))are_ids, METH_FASTCALL, ids_doc},
    {"count_bytes", (PyCFunction)(void (*)(void))count_bytes, METH_FASTCALL, count_doc},
    {NULL, NULL, 0, NULL},
};

static int exec_module(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &Pieces_spec, NULL);
    int done = type == NULL ? -1 : PyModule_AddObjectRef(module, "Pieces", type);
    Py_XDECREF(type);
    return done < 0 ? done : PyModule_AddIntMacro(module, INTERFACE);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "agentnet_otel.sources._native",
    .m_doc = "What reading costs most, in C. `pieces` says what it is for.",
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module_def);
}
