/* Encoded attributes, looked up by their bytes: nearly all of them came before, and none is decoded twice. Most come
   in the order in which they came before, so the next one is guessed, and found by one comparison.

   What a piece says is asked of Python, once; nothing is decided here. */

#include "native.h"

#if PY_VERSION_HEX >= 0x030E0000
#define HASH_BYTES(bytes, size) Py_HashBuffer(bytes, size)
#else
/* It has no public name before, and since 3.13 no public declaration. */
extern Py_hash_t _Py_HashBytes(const void *, Py_ssize_t);
#define HASH_BYTES(bytes, size) _Py_HashBytes(bytes, size)
#endif

#define FIRST_SLOTS 1024 /* a power of two; there are always at least twice as many slots as pieces */

typedef struct {
    Py_hash_t hash;
    PyObject *piece; /* bytes; NULL where the slot is free */
    PyObject *value; /* NULL where the attribute is nothing or odd */
    int key;
    uint32_t next; /* where the piece was that came behind it the last time: nothing more than a guess */
} Slot;

struct Pieces {
    PyObject_HEAD
    Vocabulary *vocabulary;
    PyObject *read;
    Py_ssize_t limit;
    Py_ssize_t longest;
    Py_ssize_t used;
    size_t mask;
    size_t last; /* where the last piece was: a place of any table that there was */
    Slot *slots;
};

PyTypeObject *pieces_type;

/* --- the table: open addressing, the hash is the one that Python has for bytes, with its secret ------------------- */

static Slot *find(const Pieces *self, Py_hash_t hash, const Byte *bytes, Py_ssize_t size)
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
static int remember(Pieces *self, Py_hash_t hash, PyObject *piece, const Said *said)
{
    if (self->used >= self->limit && forget(self) < 0) {
        return -1;
    }
    if ((size_t)self->used * 2 > self->mask && grow(self) < 0) {
        return -1;
    }
    Slot *slot = find(self, hash, (const Byte *)PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece));
    if (slot->piece == NULL) {
        *slot = (Slot){hash, Py_NewRef(piece), Py_XNewRef(said->value), said->key, 0};
        self->used++;
    }
    return 0;
}

/* --- what a piece says ------------------------------------------------------------------------------------------- */

/* A key and a value, as Python tells them, with the key's number. */
static Ending understand(const Pieces *self, PyObject *told, Said *said)
{
    PyObject *number = NULL;
    if (PyTuple_CheckExact(told) && PyTuple_GET_SIZE(told) == 2) {
        number = PyDict_GetItemWithError(self->vocabulary->numbers, PyTuple_GET_ITEM(told, 0));
    }
    if (number == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_TypeError, "a piece is read as one of the keys, and a value");
        }
        return FAILED;
    }
    said->key = (int)PyLong_AsLong(number);
    said->value = said->key < 0 ? NULL : Py_NewRef(PyTuple_GET_ITEM(told, 1));
    return FINE;
}

/* Ask Python, which may run anything: nothing of the table is held on to. */
static Ending ask(Pieces *self, Py_hash_t hash, const Byte *bytes, Py_ssize_t size, Said *said)
{
    PyObject *piece = PyBytes_FromStringAndSize((const char *)bytes, size);
    if (piece == NULL) {
        return FAILED;
    }
    PyObject *told = PyObject_CallOneArg(self->read, piece);
    Ending ending = told == NULL ? FAILED : understand(self, told, said);
    Py_XDECREF(told);
    if (ending == FINE && size <= self->longest && remember(self, hash, piece, said) < 0) {
        Py_CLEAR(said->value);
        ending = FAILED;
    }
    Py_DECREF(piece);
    return ending;
}

/* Learn which piece came behind which. */
static void follow(Pieces *self, const Slot *slot)
{
    size_t place = (size_t)(slot - self->slots);
    self->slots[self->last & self->mask].next = (uint32_t)place;
    self->last = place;
}

Ending pieces_look_up(Pieces *self, const Byte *bytes, Py_ssize_t size, Said *said)
{
    if (size > self->longest) {
        return ask(self, 0, bytes, size, said);
    }
    Py_hash_t hash = HASH_BYTES(bytes, size);
    const Slot *slot = find(self, hash, bytes, size);
    if (slot->piece == NULL) {
        return ask(self, hash, bytes, size, said);
    }
    follow(self, slot);
    said->key = slot->key;
    said->value = Py_XNewRef(slot->value);
    return FINE;
}

void pieces_pass(Pieces *self, const Byte *bytes, Py_ssize_t size)
{
    if (size <= self->longest) {
        const Slot *slot = find(self, HASH_BYTES(bytes, size), bytes, size);
        if (slot->piece != NULL) {
            follow(self, slot);
        }
    }
}

static size_t place_of_next(const Pieces *self)
{
    return self->slots[self->last & self->mask].next & self->mask;
}

int pieces_expects(const Pieces *self, Py_ssize_t size)
{
    const Slot *slot = &self->slots[place_of_next(self)];
    return slot->piece != NULL && PyBytes_GET_SIZE(slot->piece) == size;
}

Py_ssize_t pieces_expect(Pieces *self, const Byte *bytes, Py_ssize_t room, const char *close, Said *said)
{
    size_t place = place_of_next(self), closing = strlen(close);
    const Slot *slot = &self->slots[place];
    if (slot->piece == NULL) {
        return -1;
    }
    Py_ssize_t size = PyBytes_GET_SIZE(slot->piece);
    if (size > room - (Py_ssize_t)closing || memcmp(bytes, PyBytes_AS_STRING(slot->piece), (size_t)size) != 0 ||
        memcmp(bytes + size, close, closing) != 0) {
        return -1;
    }
    self->last = place;
    said->key = slot->key;
    said->value = Py_XNewRef(slot->value);
    return size;
}

Vocabulary *pieces_vocabulary(const Pieces *self)
{
    return self->vocabulary;
}

PyDoc_STRVAR(look_up_doc,
"look_up(piece, /)\n--\n\n"
"The number of its key, negative where nothing reads it or it is odd, and its value.\n\n"
"Raises:\n    Exception: whatever ``read`` raises.");

static PyObject *pieces_look_up_object(Pieces *self, PyObject *piece)
{
    Said said;
    if (!PyBytes_Check(piece)) {
        return PyErr_Format(PyExc_TypeError, "a piece is bytes");
    }
    if (pieces_look_up(self, (const Byte *)PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece), &said) != FINE) {
        return NULL;
    }
    return Py_BuildValue("(iN)", said.key, said.value == NULL ? Py_NewRef(Py_None) : said.value);
}

/* --- the type ---------------------------------------------------------------------------------------------------- */

static PyObject *pieces_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"vocabulary", "read", "limit", "longest", NULL};
    PyObject *vocabulary, *read;
    Py_ssize_t limit, longest;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!Onn:Pieces", keywords, vocabulary_type, &vocabulary, &read,
                                     &limit, &longest)) {
        return NULL;
    }
    if (limit < 1) {
        return PyErr_Format(PyExc_ValueError, "the limit is a number of pieces, at least 1");
    }
    Pieces *self = (Pieces *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->vocabulary = (Vocabulary *)Py_NewRef(vocabulary);
    self->read = Py_NewRef(read);
    self->limit = limit;
    self->longest = longest;
    if (forget(self) < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int pieces_traverse(Pieces *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->vocabulary);
    Py_VISIT(self->read);
    for (size_t at = 0; self->slots != NULL && at <= self->mask; at++) {
        Py_VISIT(self->slots[at].value); /* pieces refer to nothing */
    }
    return 0;
}

static int pieces_clear(Pieces *self)
{
    Py_CLEAR(self->read);
    return 0;
}

static void pieces_dealloc(Pieces *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->vocabulary);
    Py_XDECREF(self->read);
    if (self->slots != NULL) {
        release(self->slots, self->mask + 1);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t pieces_length(Pieces *self)
{
    return self->used;
}

static PyMethodDef pieces_methods[] = {
    {"look_up", (PyCFunction)pieces_look_up_object, METH_O, look_up_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(pieces_doc,
"Pieces(vocabulary, read, limit, longest)\n--\n\n"
"What encoded attributes say. ``read`` tells it of bytes, a key and a value, once for each of those that are\n"
"remembered: at most ``limit``, of at most ``longest`` bytes.\n\n"
"Raises:\n    ValueError: the limit is below 1.");

static PyType_Slot pieces_slots[] = {
    {Py_tp_doc, (void *)pieces_doc},
    {Py_tp_new, pieces_new},
    {Py_tp_traverse, pieces_traverse},
    {Py_tp_clear, pieces_clear},
    {Py_tp_dealloc, pieces_dealloc},
    {Py_tp_methods, pieces_methods},
    {Py_sq_length, pieces_length},
    {0, NULL},
};

static PyType_Spec pieces_spec = {
    .name = "agentnet_otel.sources.native._native.Pieces",
    .basicsize = sizeof(Pieces),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pieces_slots,
};

int pieces_ready(PyObject *module)
{
    pieces_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &pieces_spec, NULL);
    return pieces_type == NULL ? -1 : PyModule_AddObjectRef(module, "Pieces", (PyObject *)pieces_type);
}
