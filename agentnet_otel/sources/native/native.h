/* What the parts of the extension know of each other. `module.c` says what it is for. */

#ifndef AGENTNET_OTEL_NATIVE_H
#define AGENTNET_OTEL_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

#define INTERFACE 6 /* as in `__init__.py` */

typedef unsigned char Byte;

/* How reading something ended. Where a Python error is set, that is `FAILED`; what the short way does not read is
   `UNUSUAL`, and no error. `PASSED`: the rest of the span being read is another reader's to look at. */
typedef enum { FAILED = -1, FINE = 0, UNUSUAL = 1, PASSED = 2 } Ending;

/* End likewise, unless it is fine. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        Ending ending_ = (call);                                                                                       \
        if (ending_ != FINE) {                                                                                         \
            return ending_;                                                                                            \
        }                                                                                                              \
    } while (0)

/* Bytes that are gone through, from where one is. */
typedef struct {
    const Byte *at, *end;
} Scan;

/* --- vocabulary.c: the attributes that count, by number ----------------------------------------------------------- */

#define MAX_KEYS 128
#define KEY_NOTHING (-1) /* nothing reads the attribute */
#define KEY_ODD (-2)     /* the span has to be read in the general way */

typedef struct {
    PyObject_HEAD
    PyObject *names;    /* tuple of texts, by number */
    PyObject *numbers;  /* dict of the same, and of what is nothing or odd */
    PyObject *statuses; /* tuple: what a span's status is, by its code */
} Vocabulary;

extern PyTypeObject *vocabulary_type;
int vocabulary_ready(PyObject *module);

typedef struct {
    uint64_t words[MAX_KEYS / 64];
} KeySet;

static inline void keyset_add(KeySet *set, int key) { set->words[key / 64] |= (uint64_t)1 << (key % 64); }
static inline int keyset_has(const KeySet *set, int key) { return (int)(set->words[key / 64] >> (key % 64)) & 1; }
static inline int keyset_meets(const KeySet *one, const KeySet *other)
{
    return ((one->words[0] & other->words[0]) | (one->words[1] & other->words[1])) != 0;
}

/* --- pieces.c: what encoded attributes say ------------------------------------------------------------------------ */

typedef struct {
    PyObject *value; /* a reference of one's own; NULL where the attribute is nothing or odd */
    int key;
} Said;

typedef struct Pieces Pieces;
extern PyTypeObject *pieces_type;
int pieces_ready(PyObject *module);
Ending pieces_look_up(Pieces *self, const Byte *bytes, Py_ssize_t size, Said *said);
/* The size of the piece that is expected next, if it stands there with `close` behind it, and what it says; else -1. */
Py_ssize_t pieces_expect(Pieces *self, const Byte *bytes, Py_ssize_t room, const char *close, Said *said);
int pieces_expects(const Pieces *self, Py_ssize_t size); /* whether it would be of that size */
void pieces_pass(Pieces *self, const Byte *bytes, Py_ssize_t size); /* nobody wants to know what it says */
Vocabulary *pieces_vocabulary(const Pieces *self);

/* --- span.c: a span, as small as it can be ------------------------------------------------------------------------ */

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES 8
#define MAX_STATUS 2

typedef struct {
    int64_t start_ns, end_ns;
    uint32_t flags;
    Byte trace_id[TRACE_ID_BYTES], span_id[SPAN_ID_BYTES], parent_id[SPAN_ID_BYTES];
    Byte kind, status, has_parent, ours;
    KeySet has;
} SpanHead;

typedef struct {
    PyObject_VAR_HEAD
    SpanHead head;
    Vocabulary *vocabulary;
    PyObject *origin;
    PyObject *events;                    /* a tuple; NULL where it has none */
    PyObject *what;                      /* NULL until it is set */
    PyObject *attributes;                /* the dict; NULL until somebody asks for it */
    PyObject *trace_text, *span_text, *parent_text; /* the ids as texts; the same */
    Said said[];
} Span;

extern PyTypeObject *span_type;
int span_ready(PyObject *module);
Span *span_new(const SpanHead *head, Vocabulary *vocabulary, PyObject *origin, const Said *said, Py_ssize_t count);
PyObject *span_trace_text(Span *self); /* a new reference */
PyObject *span_span_text(Span *self);
PyObject *span_parent_text(Span *self); /* empty of a root */
static inline int is_span(PyObject *object) { return Py_TYPE(object) == span_type; }
static inline PyObject *span_says(const Span *self, int key) /* borrowed; NULL where it says nothing */
{
    if (keyset_has(&self->head.has, key)) {
        for (Py_ssize_t at = 0; at < Py_SIZE(self); at++) {
            if (self->said[at].key == key) {
                return self->said[at].value;
            }
        }
    }
    return NULL;
}

/* --- reader.c: spans out of requests; json.c and protobuf.c know the two formats ---------------------------------- */

#define MAX_SAID MAX_KEYS

/* Where spans come from, as Python told. */
typedef struct {
    PyObject *told; /* the tuple that holds the rest */
    PyObject *origin;
    Pieces *pieces;
    PyObject *odd;    /* reads a span, given its bytes, in another way */
    PyObject *events; /* reads the events of one */
    int ours;
} Scope;

typedef struct {
    PyObject_HEAD
    PyObject *scope_of; /* callable: tells of the bytes of a resource and of a scope */
    PyObject *resource, *scope, *told; /* what it was asked last, as bytes, and told; NULL before */
    int operation;      /* the key without which a span of others says nothing */
    int takes_all;
    int passes; /* whether spans that are not taken are passed without a look */
    Byte takes[256]; /* by the last byte of a trace id */
} Reader;

/* A request being read. */
typedef struct {
    Reader *reader;
    PyObject *spans; /* a list */
    Py_ssize_t passed;
} Request;

/* A span being read. */
typedef struct {
    SpanHead head;
    unsigned seen; /* which fields were, a bit each */
    int odd;
    int eventful; /* Python is asked for its events */
    int skipped;  /* another reader's */
    Py_ssize_t count;
    Said said[MAX_SAID];
} Draft;

/* Where a span being read belongs. */
typedef struct {
    Request *request;
    const Scope *scope;
    Draft *draft;
} SpanContext;

extern PyTypeObject *reader_type;
int reader_ready(PyObject *module);
int scope_ask(const Request *request, const Byte *resource, Py_ssize_t resource_size, const Byte *name,
              Py_ssize_t name_size, Scope *scope);
void scope_release(Scope *scope);
/* The size of the resource, or scope, that was asked for last, if it stands at a place; else 0. */
Py_ssize_t scope_repeats(const PyObject *last, const Byte *at, Py_ssize_t room);
void draft_begin(Draft *draft);
void draft_end(Draft *draft);
void draft_pass(Draft *draft, Request *request); /* the span is another reader's: it is counted, and no more */
/* Take in what a piece says; a span that is skipped says nothing. */
Ending draft_say(Draft *draft, Pieces *pieces, const Byte *bytes, Py_ssize_t size);
/* The same if it is the piece that is expected; its size, or -1. The span may turn out to be odd. */
Py_ssize_t draft_expect(Draft *draft, Pieces *pieces, const Byte *bytes, Py_ssize_t room, const char *close);
Ending draft_keep(Draft *draft, Request *request, const Scope *scope, const Byte *bytes, Py_ssize_t size);
static inline int is_taken(const Reader *reader, const Byte *trace_id)
{
    return reader->takes_all || reader->takes[trace_id[TRACE_ID_BYTES - 1]];
}
/* Note whose a span is, now that its trace is known: `PASSED` where nothing more of it is to be looked at. */
static inline Ending draft_deal(Draft *draft, const Reader *reader)
{
    draft->skipped = !is_taken(reader, draft->head.trace_id);
    return draft->skipped && reader->passes ? PASSED : FINE;
}
Ending read_json(Request *request, const Byte *data, Py_ssize_t size);
Ending read_protobuf(Request *request, const Byte *data, Py_ssize_t size);

/* --- passing.c --------------------------------------------------------------------------------------------------- */

/* The end of a JSON object, from anywhere between its brace and its end that is in no text and no object within; NULL
   where it has none. Whether what it holds is JSON is not looked at. */
const Byte *end_of_object(const Byte *at, const Byte *end);

/* --- text.c ------------------------------------------------------------------------------------------------------- */

/* Whether bytes are UTF-8, as Unicode defines it. */
int is_utf8(const Byte *at, const Byte *end);
/* The end of a UTF-8 sequence of more than one byte; NULL where there is none. */
const Byte *end_of_sequence(const Byte *at, const Byte *end);
PyObject *count_bytes(PyObject *module, PyObject *const *args, Py_ssize_t count);
extern const char count_bytes_doc[];

/* --- turns out of spans: `turns.h` ------------------------------------------------------------------------------- */

extern PyTypeObject *turns_type;
int turns_ready(PyObject *module);
PyObject *runs_of(PyObject *module, PyObject *spans);
extern const char runs_of_doc[];

#endif
