/* A request in OTLP protobuf, gone through once, from its first byte to its last.

   As in `json.c`: what is not of the form that everybody writes is `UNUSUAL`, and left to Python as a whole. Known
   fields are those of opentelemetry-proto; of unknown ones the size is all that is looked at. */

#include "native.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* --- words of the wire ------------------------------------------------------------------------------------------- */

/* Ten bytes hold 64 bits; of the last of them one bit counts. */
static Ending read_varint(Scan *scan, uint64_t *into)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && scan->at < scan->end; shift += 7) {
        Byte byte = *scan->at++;
        if (shift == 63 && byte > 1) {
            return UNUSUAL;
        }
        number |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *into = number;
            return FINE;
        }
    }
    return UNUSUAL;
}

static Ending read_bytes(Scan *scan, Scan *inner)
{
    uint64_t size;
    TRY(read_varint(scan, &size));
    if (size > (uint64_t)(scan->end - scan->at)) {
        return UNUSUAL;
    }
    *inner = (Scan){scan->at, scan->at + size};
    scan->at += size;
    return FINE;
}

/* Numbers of a fixed size are little-endian, whatever the machine is. */
static Ending read_fixed(Scan *scan, int bytes, uint64_t *into)
{
    if (scan->end - scan->at < bytes) {
        return UNUSUAL;
    }
    uint64_t number = 0;
    for (int byte = 0; byte < bytes; byte++) {
        number |= (uint64_t)scan->at[byte] << (8 * byte);
    }
    scan->at += bytes;
    *into = number;
    return FINE;
}

static Ending skip_field(Scan *scan, unsigned wire)
{
    uint64_t number;
    Scan inner;
    switch (wire) {
    case VARINT:
        return read_varint(scan, &number);
    case FIXED64:
        return read_fixed(scan, 8, &number);
    case BYTES:
        return read_bytes(scan, &inner);
    case FIXED32:
        return read_fixed(scan, 4, &number);
    default:
        return UNUSUAL; /* groups are of another time */
    }
}

typedef Ending (*ReadField)(Scan *scan, unsigned field, unsigned wire, void *context);

static inline Ending read_message(Scan *scan, ReadField read, void *context)
{
    while (scan->at < scan->end) {
        uint64_t tag;
        TRY(read_varint(scan, &tag));
        if (tag < 8 || tag > UINT32_MAX) {
            return UNUSUAL;
        }
        TRY(read(scan, (unsigned)(tag >> 3), (unsigned)(tag & 7), context));
    }
    return FINE;
}

static Ending read_text(Scan *scan, Scan *inner)
{
    TRY(read_bytes(scan, inner));
    return is_utf8(inner->at, inner->end) ? FINE : UNUSUAL;
}

static Ending once(unsigned *seen, unsigned field)
{
    if (*seen & 1u << field) {
        return UNUSUAL;
    }
    *seen |= 1u << field;
    return FINE;
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

enum {
    TRACE_ID = 1,
    SPAN_ID = 2,
    TRACE_STATE = 3,
    PARENT_ID = 4,
    NAME = 5,
    KIND = 6,
    START = 7,
    STOP = 8,
    ATTRIBUTE = 9,
    EVENT = 11,
    LINK = 13,
    STATUS = 15,
    FLAGS = 16,
};
#define NEEDED (1u << TRACE_ID | 1u << SPAN_ID | 1u << START)

static Ending read_id(Scan *scan, Byte *into, Py_ssize_t size)
{
    Scan inner;
    Byte any = 0;
    TRY(read_bytes(scan, &inner));
    if (inner.end - inner.at != size) {
        return UNUSUAL;
    }
    for (Py_ssize_t at = 0; at < size; at++) {
        any |= into[at] = inner.at[at];
    }
    return any ? FINE : UNUSUAL;
}

static Ending read_time(Scan *scan, int64_t *into)
{
    uint64_t number;
    TRY(read_fixed(scan, 8, &number));
    if (number > INT64_MAX) {
        return UNUSUAL;
    }
    *into = (int64_t)number;
    return FINE;
}

static Ending read_status_field(Scan *scan, unsigned field, unsigned wire, void *context)
{
    Draft *draft = context;
    uint64_t code;
    Scan message;
    if (field == 2 && wire == BYTES) {
        return read_text(scan, &message);
    }
    if (field != 3 || wire != VARINT) {
        return UNUSUAL;
    }
    TRY(read_varint(scan, &code));
    if (code > MAX_STATUS) {
        return UNUSUAL;
    }
    draft->head.status = (Byte)code;
    return FINE;
}

/* A parent that is told without a byte is none. */
static Ending read_parent(Scan *scan, SpanHead *head)
{
    if (scan->at < scan->end && *scan->at == 0) {
        scan->at++;
        return FINE;
    }
    head->has_parent = 1;
    return read_id(scan, head->parent_id, SPAN_ID_BYTES);
}

/* Whether a piece is what was expected next; of any other the beginning may be. */
static int is_expected(const SpanContext *context, const Scan *piece)
{
    Py_ssize_t size = piece->end - piece->at;
    return pieces_expects(context->scope->pieces, size) &&
           draft_expect(context->draft, context->scope->pieces, piece->at, size, "") == size;
}

static Ending read_attribute(Scan *scan, const SpanContext *context)
{
    Draft *draft = context->draft;
    Scan piece;
    TRY(read_bytes(scan, &piece));
    if (draft->odd || is_expected(context, &piece)) {
        return FINE;
    }
    Ending ending = draft_say(draft, context->scope->pieces, piece.at, piece.end - piece.at);
    draft->odd |= ending == UNUSUAL;
    return ending == FAILED ? FAILED : FINE;
}

static Ending read_bytes_field(Scan *scan, unsigned field, const SpanContext *context)
{
    Draft *draft = context->draft;
    Scan inner;
    switch (field) {
    case TRACE_ID:
        TRY(read_id(scan, draft->head.trace_id, TRACE_ID_BYTES));
        return draft_deal(draft, context->request->reader);
    case SPAN_ID:
        return read_id(scan, draft->head.span_id, SPAN_ID_BYTES);
    case PARENT_ID:
        return read_parent(scan, &draft->head);
    case NAME:
        return read_text(scan, &inner);
    case TRACE_STATE:
        TRY(read_text(scan, &inner));
        draft->odd |= inner.at < inner.end;
        return FINE;
    case STATUS:
        TRY(read_bytes(scan, &inner));
        return read_message(&inner, read_status_field, draft);
    default:
        return UNUSUAL;
    }
}

static Ending read_number_field(Scan *scan, unsigned field, unsigned wire, Draft *draft)
{
    uint64_t number;
    if (field == START && wire == FIXED64) {
        return read_time(scan, &draft->head.start_ns);
    }
    if (field == STOP && wire == FIXED64) {
        return read_time(scan, &draft->head.end_ns);
    }
    if (field == FLAGS && wire == FIXED32) {
        TRY(read_fixed(scan, 4, &number));
        draft->head.flags = (uint32_t)number;
        return FINE;
    }
    if (field != KIND || wire != VARINT) {
        return UNUSUAL;
    }
    TRY(read_varint(scan, &number));
    draft->head.kind = (Byte)number;
    return number <= UINT8_MAX ? FINE : UNUSUAL;
}

static Ending read_span_field(Scan *scan, unsigned field, unsigned wire, void *void_context)
{
    SpanContext *context = void_context;
    Scan inner;
    if (field == ATTRIBUTE && wire == BYTES) {
        return read_attribute(scan, context);
    }
    if ((field == EVENT || field == LINK) && wire == BYTES) {
        context->draft->odd |= field == LINK;
        context->draft->eventful |= field == EVENT;
        return read_bytes(scan, &inner);
    }
    if (field == ATTRIBUTE || field == EVENT || field == LINK) {
        return UNUSUAL;
    }
    if (field > FLAGS || field == 10 || field == 12 || field == 14) { /* numbers of what was dropped */
        return skip_field(scan, wire);
    }
    TRY(once(&context->draft->seen, field));
    return wire == BYTES ? read_bytes_field(scan, field, context)
                         : read_number_field(scan, field, wire, context->draft);
}

static Ending read_span(Scan *scan, SpanContext *context)
{
    Scan inner;
    TRY(read_bytes(scan, &inner));
    const Byte *start = inner.at;
    draft_begin(context->draft);
    Ending ending = read_message(&inner, read_span_field, context);
    if (ending == PASSED) {
        draft_pass(context->draft, context->request);
        return FINE;
    }
    if (ending == FINE && ((context->draft->seen & NEEDED) != NEEDED || context->draft->head.start_ns == 0)) {
        ending = UNUSUAL;
    }
    if (ending == FINE) {
        ending = draft_keep(context->draft, context->request, context->scope, start, inner.end - start);
    }
    draft_end(context->draft);
    return ending;
}

/* --- what is around spans ---------------------------------------------------------------------------------------- */

typedef struct {
    Request *request;
    Draft *draft;
    Scan resource, shared; /* how a resource and a scope are written */
    Scope scope;           /* what Python told of both; asked for before the first span */
    unsigned seen;
} Around;

static Ending ask(Around *around)
{
    if (around->scope.told == NULL) {
        const Scan *resource = &around->resource, *shared = &around->shared;
        if (scope_ask(around->request, resource->at, resource->end - resource->at, shared->at,
                      shared->end - shared->at, &around->scope) < 0) {
            return FAILED;
        }
    }
    return around->scope.pieces == NULL ? UNUSUAL : FINE;
}

/* What is shared stands before the spans that share it, as everybody writes it. */
static Ending read_scope_field(Scan *scan, unsigned field, unsigned wire, void *context)
{
    Around *around = context;
    Scan url;
    if (wire != BYTES) {
        return field > 3 ? skip_field(scan, wire) : UNUSUAL;
    }
    if (field == 2) {
        TRY(ask(around));
        SpanContext inner = {around->request, &around->scope, around->draft};
        return read_span(scan, &inner);
    }
    if (field == 1) {
        TRY(once(&around->seen, field));
        return around->scope.told == NULL ? read_bytes(scan, &around->shared) : UNUSUAL;
    }
    return field == 3 ? read_text(scan, &url) : skip_field(scan, wire);
}

static Ending read_scope(Scan *scan, const Around *outer)
{
    Scan inner;
    Around around = {.request = outer->request, .draft = outer->draft, .resource = outer->resource};
    TRY(read_bytes(scan, &inner));
    around.shared = (Scan){inner.at, inner.at};
    Ending ending = read_message(&inner, read_scope_field, &around);
    if (ending == FINE) {
        ending = ask(&around); /* also of a scope without spans Python is told */
    }
    scope_release(&around.scope);
    return ending;
}

enum { RESOURCE = 1, SCOPES = 2, URL = 3, FORMER_SCOPES = 1000 };

static Ending read_resource_field(Scan *scan, unsigned field, unsigned wire, void *context)
{
    Around *around = context;
    Scan url;
    if (wire != BYTES) {
        return field > URL ? skip_field(scan, wire) : UNUSUAL;
    }
    if (field == SCOPES) {
        around->seen |= 1u << SCOPES;
        return read_scope(scan, around);
    }
    if (field == RESOURCE) {
        if (around->seen & 1u << SCOPES) {
            return UNUSUAL;
        }
        TRY(once(&around->seen, field));
        return read_bytes(scan, &around->resource);
    }
    if (field == FORMER_SCOPES) {
        return UNUSUAL;
    }
    return field == URL ? read_text(scan, &url) : skip_field(scan, wire);
}

static Ending read_request_field(Scan *scan, unsigned field, unsigned wire, void *context)
{
    Around *outer = context;
    Scan inner;
    if (field != 1) {
        return skip_field(scan, wire);
    }
    if (wire != BYTES) {
        return UNUSUAL;
    }
    TRY(read_bytes(scan, &inner));
    outer->seen = 1;
    Around around = {.request = outer->request, .draft = outer->draft, .resource = {inner.at, inner.at}};
    TRY(read_message(&inner, read_resource_field, &around));
    return around.seen & 1u << SCOPES ? FINE : UNUSUAL; /* of a resource alone nobody looks what it says */
}

Ending read_protobuf(Request *request, const Byte *data, Py_ssize_t size)
{
    Draft draft;
    Scan scan = {data, data + size};
    Around around = {.request = request, .draft = &draft};
    TRY(read_message(&scan, read_request_field, &around));
    return around.seen ? FINE : UNUSUAL;
}
