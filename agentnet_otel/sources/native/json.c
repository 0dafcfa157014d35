/* A request in OTLP JSON, gone through once, from its first byte to its last.

   What is read here is valid JSON, as strict as RFC 8259, and of the form that the specification asks for: anything
   else, however slight, is `UNUSUAL`, and left as a whole to Python, which tells what is wrong, or reads it after all. */

#include "native.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MAX_DEPTH 64 /* of values within values that nothing reads */

/* --- words of the grammar ---------------------------------------------------------------------------------------- */

static inline void skip_space(Scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t')) {
        scan->at++;
    }
}

static inline int take(Scan *scan, Byte wanted)
{
    if (scan->at < scan->end && *scan->at == wanted) {
        scan->at++;
        return 1;
    }
    return 0;
}

static inline int take_word(Scan *scan, const char *word, size_t size)
{
    if ((size_t)(scan->end - scan->at) >= size && memcmp(scan->at, word, size) == 0) {
        scan->at += size;
        return 1;
    }
    return 0;
}
#define TAKE_WORD(scan, word) take_word(scan, word, sizeof(word) - 1)

static inline int take_with_space(Scan *scan, Byte wanted)
{
    skip_space(scan);
    int taken = take(scan, wanted);
    skip_space(scan);
    return taken;
}

/* The next byte of a text that is more than a letter: a quote, a backslash, a control, or beyond ASCII. */
static inline const Byte *find_special(const Byte *at, const Byte *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
    for (; end - at >= 16; at += 16) {
        __m128i some = _mm_loadu_si128((const __m128i *)at);
        /* As signed numbers, both controls and what is beyond ASCII are below a space. */
        __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(some, quote), _mm_cmpeq_epi8(some, backslash)),
                                     _mm_cmplt_epi8(some, space));
        int mask = _mm_movemask_epi8(found);
        if (mask != 0) {
            return at + __builtin_ctz((unsigned)mask);
        }
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && *at >= 0x20 && *at < 0x80) {
        at++;
    }
    return at;
}

static int hex_digit(Byte byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The end of an escape; NULL where it is none. Halves of pairs are left to those who join them. */
static const Byte *end_of_escape(const Byte *at, const Byte *end)
{
    if (end - at < 2) {
        return NULL;
    }
    if (at[1] != 'u') {
        return memchr("\"\\/bfnrt", at[1], 8) == NULL ? NULL : at + 2;
    }
    if (end - at < 6) {
        return NULL;
    }
    int unit = 0;
    for (int digit = 2; digit < 6; digit++) {
        int value = hex_digit(at[digit]);
        if (value < 0) {
            return NULL;
        }
        unit = unit * 16 + value;
    }
    return unit >= 0xD800 && unit <= 0xDFFF ? NULL : at + 6;
}

/* From behind the first quote of a text to behind its last. */
static inline Ending skip_text(Scan *scan, int *escaped)
{
    const Byte *at = scan->at, *end = scan->end;
    for (;;) {
        at = find_special(at, end);
        if (at >= end || *at < 0x20) {
            return UNUSUAL;
        }
        if (*at == '"') {
            scan->at = at + 1;
            return FINE;
        }
        if (*at == '\\') {
            *escaped = 1;
            at = end_of_escape(at, end);
        }
        else {
            at = end_of_sequence(at, end);
        }
        if (at == NULL) {
            return UNUSUAL;
        }
    }
}

static inline int is_digit(const Scan *scan) { return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; }

static Ending skip_digits(Scan *scan)
{
    if (!is_digit(scan)) {
        return UNUSUAL;
    }
    while (is_digit(scan)) {
        scan->at++;
    }
    return FINE;
}

static Ending skip_number(Scan *scan)
{
    take(scan, '-');
    if (!take(scan, '0')) {
        TRY(skip_digits(scan));
    }
    else if (is_digit(scan)) {
        return UNUSUAL;
    }
    if (take(scan, '.')) {
        TRY(skip_digits(scan));
    }
    if (take(scan, 'e') || take(scan, 'E')) {
        if (!take(scan, '+')) {
            take(scan, '-');
        }
        TRY(skip_digits(scan));
    }
    return FINE;
}

static Ending skip_value(Scan *scan, int depth);

static Ending skip_inside(Scan *scan, int depth, Byte close, int named)
{
    skip_space(scan);
    if (take(scan, close)) {
        return FINE;
    }
    for (;;) {
        int escaped = 0;
        if (named) {
            if (!take(scan, '"')) {
                return UNUSUAL;
            }
            TRY(skip_text(scan, &escaped));
            if (!take_with_space(scan, ':')) {
                return UNUSUAL;
            }
        }
        TRY(skip_value(scan, depth));
        skip_space(scan);
        if (take(scan, close)) {
            return FINE;
        }
        if (!take_with_space(scan, ',')) {
            return UNUSUAL;
        }
    }
}

static Ending skip_value(Scan *scan, int depth)
{
    int escaped = 0;
    if (scan->at >= scan->end || depth > MAX_DEPTH) {
        return UNUSUAL;
    }
    switch (*scan->at) {
    case '"':
        scan->at++;
        return skip_text(scan, &escaped);
    case '{':
        scan->at++;
        return skip_inside(scan, depth + 1, '}', 1);
    case '[':
        scan->at++;
        return skip_inside(scan, depth + 1, ']', 0);
    case 't':
        return TAKE_WORD(scan, "true") ? FINE : UNUSUAL;
    case 'f':
        return TAKE_WORD(scan, "false") ? FINE : UNUSUAL;
    case 'n':
        return TAKE_WORD(scan, "null") ? FINE : UNUSUAL;
    default:
        return skip_number(scan);
    }
}

/* --- objects and arrays ------------------------------------------------------------------------------------------ */

/* Reads what stands under a key; `context` is what it is read into. */
typedef Ending (*ReadField)(Scan *scan, const Byte *name, size_t size, void *context);

static inline Ending read_object(Scan *scan, ReadField read, void *context)
{
    if (!take(scan, '{')) {
        return UNUSUAL;
    }
    skip_space(scan);
    if (take(scan, '}')) {
        return FINE;
    }
    for (;;) {
        int escaped = 0;
        if (!take(scan, '"')) {
            return UNUSUAL;
        }
        const Byte *name = scan->at;
        TRY(skip_text(scan, &escaped));
        size_t size = (size_t)(scan->at - 1 - name);
        if (escaped || !take_with_space(scan, ':')) {
            return UNUSUAL;
        }
        TRY(read(scan, name, size, context));
        skip_space(scan);
        if (take(scan, '}')) {
            return FINE;
        }
        if (!take_with_space(scan, ',')) {
            return UNUSUAL;
        }
    }
}

typedef Ending (*ReadItem)(Scan *scan, void *context);

static inline Ending read_array(Scan *scan, ReadItem read, void *context)
{
    if (!take(scan, '[')) {
        return UNUSUAL;
    }
    skip_space(scan);
    if (take(scan, ']')) {
        return FINE;
    }
    for (;;) {
        TRY(read(scan, context));
        skip_space(scan);
        if (take(scan, ']')) {
            return FINE;
        }
        if (!take_with_space(scan, ',')) {
            return UNUSUAL;
        }
    }
}

#define IS(word) (size == sizeof(word) - 1 && memcmp(name, word, sizeof(word) - 1) == 0)

/* Note that a field came; of one that comes twice the decoder in Python knows which counts. */
static inline Ending once(unsigned *seen, unsigned field)
{
    if (*seen & field) {
        return UNUSUAL;
    }
    *seen |= field;
    return FINE;
}

/* --- values of fields -------------------------------------------------------------------------------------------- */

/* One more than the value of a digit as ids have them; 0 of what is none. */
static const Byte digits[256] = {
    ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/* An id: a text of so many bytes in lower case hexadecimal, not all 0. */
static Ending read_id(Scan *scan, Byte *into, Py_ssize_t bytes)
{
    if (scan->end - scan->at < 2 * bytes + 2 || scan->at[0] != '"' || scan->at[2 * bytes + 1] != '"') {
        return UNUSUAL;
    }
    const Byte *at = scan->at + 1;
    Byte any = 0, wrong = 0;
    for (Py_ssize_t byte = 0; byte < bytes; byte++, at += 2) {
        Byte high = digits[at[0]], low = digits[at[1]];
        wrong |= !high | !low;
        into[byte] = (Byte)((high - 1u) << 4 | (low - 1u));
        any |= into[byte];
    }
    scan->at = at + 1;
    return any && !wrong ? FINE : UNUSUAL;
}

/* A whole number from 0 to `most`, as a number or a text, without a sign. */
static Ending read_number(Scan *scan, uint64_t most, uint64_t *into)
{
    int quoted = take(scan, '"');
    const Byte *start = scan->at;
    uint64_t number = 0;
    while (is_digit(scan)) {
        unsigned digit = *scan->at - (Byte)'0';
        if (digit > most || number > (most - digit) / 10) {
            return UNUSUAL;
        }
        number = number * 10 + digit;
        scan->at++;
    }
    Py_ssize_t digits = scan->at - start;
    if (digits == 0 || (digits > 1 && *start == '0') || (quoted && !take(scan, '"'))) {
        return UNUSUAL;
    }
    if (!quoted && scan->at < scan->end && (*scan->at == '.' || *scan->at == 'e' || *scan->at == 'E')) {
        return UNUSUAL;
    }
    *into = number;
    return FINE;
}

static Ending read_status_field(Scan *scan, const Byte *name, size_t size, void *context)
{
    Draft *draft = context;
    uint64_t code;
    if (!IS("code")) {
        return skip_value(scan, 0);
    }
    TRY(once(&draft->seen, 1u << 30));
    if (scan->at < scan->end && *scan->at == '"') {
        return UNUSUAL;
    }
    TRY(read_number(scan, MAX_STATUS, &code));
    draft->head.status = (Byte)code;
    return FINE;
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

/* From the opening brace of an attribute to the quote with which its key begins. */
static int open_attribute(Scan *scan)
{
    if (TAKE_WORD(scan, "{\"key\":\"")) {
        return 1;
    }
    if (!take(scan, '{')) {
        return 0;
    }
    skip_space(scan);
    return TAKE_WORD(scan, "\"key\"") && take_with_space(scan, ':') && take(scan, '"');
}

/* From behind a key to where its value says what it is. */
static int open_value(Scan *scan)
{
    if (TAKE_WORD(scan, ",\"value\":{\"")) {
        return 1;
    }
    if (!take_with_space(scan, ',') || !TAKE_WORD(scan, "\"value\"") || !take_with_space(scan, ':') ||
        !take(scan, '{')) {
        return 0;
    }
    skip_space(scan);
    return take(scan, '"');
}

/* Find where the piece that an attribute is ends; what it says is looked up. What is written otherwise is odd. */
static Ending read_plain_attribute(Scan *scan, SpanContext *context)
{
    int escaped = 0;
    if (!open_attribute(scan)) {
        return UNUSUAL;
    }
    const Byte *piece = scan->at;
    Py_ssize_t size = draft_expect(context->draft, context->scope->pieces, piece, scan->end - piece, "}}");
    if (size >= 0) {
        scan->at += size + 2;
        return FINE;
    }
    TRY(skip_text(scan, &escaped));
    if (escaped || !open_value(scan)) {
        return UNUSUAL;
    }
    TRY(skip_text(scan, &escaped));
    if (!take_with_space(scan, ':')) {
        return UNUSUAL;
    }
    TRY(skip_value(scan, 0));
    const Byte *end = scan->at;
    if (!take_with_space(scan, '}') || !take(scan, '}')) {
        return UNUSUAL;
    }
    return draft_say(context->draft, context->scope->pieces, piece, end - piece);
}

static Ending read_attribute(Scan *scan, void *void_context)
{
    SpanContext *context = void_context;
    if (!context->draft->odd) {
        const Byte *start = scan->at;
        Ending ending = read_plain_attribute(scan, context);
        if (ending != UNUSUAL) {
            return ending;
        }
        scan->at = start;
        context->draft->odd = 1;
    }
    return skip_value(scan, 0);
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

enum {
    TRACE_ID = 1,
    SPAN_ID = 2,
    PARENT_ID = 4,
    FLAGS = 8,
    KIND = 16,
    START = 32,
    STOP = 64,
    ATTRIBUTES = 128,
    STATUS = 256,
    NAME = 512,
    TRACE_STATE = 1024,
    EVENTS = 2048,
    NEEDED = TRACE_ID | SPAN_ID | START,
};

/* What a plain span seldom has: a text that is not empty, an array in which there is something. */
static Ending read_absent(Scan *scan, int *found, const char *nothing)
{
    const Byte *start = scan->at;
    if (scan->at >= scan->end || *scan->at != (Byte)nothing[0]) {
        return UNUSUAL;
    }
    TRY(skip_value(scan, 0));
    *found |= scan->at - start != 2;
    return FINE;
}

static Ending read_parent(Scan *scan, SpanHead *head)
{
    if (TAKE_WORD(scan, "\"\"")) {
        return FINE;
    }
    head->has_parent = 1;
    return read_id(scan, head->parent_id, SPAN_ID_BYTES);
}

static Ending read_name(Scan *scan)
{
    int escaped = 0;
    return take(scan, '"') ? skip_text(scan, &escaped) : UNUSUAL;
}

static Ending read_trace_id(Scan *scan, SpanContext *context)
{
    Draft *draft = context->draft;
    TRY(once(&draft->seen, TRACE_ID));
    TRY(read_id(scan, draft->head.trace_id, TRACE_ID_BYTES));
    return draft_deal(draft, context->request->reader);
}

static Ending read_time(Scan *scan, Draft *draft, unsigned field, int64_t *into)
{
    uint64_t number;
    TRY(once(&draft->seen, field));
    TRY(read_number(scan, INT64_MAX, &number));
    *into = (int64_t)number;
    return FINE;
}

static Ending read_small(Scan *scan, Draft *draft, unsigned field, uint64_t most, uint64_t *into)
{
    TRY(once(&draft->seen, field));
    return read_number(scan, most, into);
}

static Ending read_span_field(Scan *scan, const Byte *name, size_t size, void *void_context)
{
    SpanContext *context = void_context;
    Draft *draft = context->draft;
    uint64_t number = 0;
    if (IS("traceId")) {
        return read_trace_id(scan, context);
    }
    if (IS("spanId")) {
        TRY(once(&draft->seen, SPAN_ID));
        return read_id(scan, draft->head.span_id, SPAN_ID_BYTES);
    }
    if (IS("parentSpanId")) {
        TRY(once(&draft->seen, PARENT_ID));
        return read_parent(scan, &draft->head);
    }
    if (IS("name")) {
        TRY(once(&draft->seen, NAME));
        return read_name(scan);
    }
    if (IS("startTimeUnixNano")) {
        return read_time(scan, draft, START, &draft->head.start_ns);
    }
    if (IS("endTimeUnixNano")) {
        return read_time(scan, draft, STOP, &draft->head.end_ns);
    }
    if (IS("attributes")) {
        TRY(once(&draft->seen, ATTRIBUTES));
        return read_array(scan, read_attribute, context);
    }
    if (IS("kind")) {
        TRY(read_small(scan, draft, KIND, UINT8_MAX, &number));
        draft->head.kind = (Byte)number;
        return FINE;
    }
    if (IS("flags")) {
        TRY(read_small(scan, draft, FLAGS, UINT32_MAX, &number));
        draft->head.flags = (uint32_t)number;
        return FINE;
    }
    if (IS("status")) {
        TRY(once(&draft->seen, STATUS));
        return read_object(scan, read_status_field, draft);
    }
    if (IS("events")) {
        TRY(once(&draft->seen, EVENTS));
        return read_absent(scan, &draft->eventful, "[]");
    }
    if (IS("traceState")) {
        TRY(once(&draft->seen, TRACE_STATE));
        return read_absent(scan, &draft->odd, "\"\"");
    }
    return size > 0 && name[0] == ' ' ? UNUSUAL : skip_value(scan, 0);
}

static Ending pass_span(Scan *scan, SpanContext *context)
{
    draft_pass(context->draft, context->request);
    scan->at = end_of_object(scan->at, scan->end);
    return scan->at == NULL ? UNUSUAL : FINE;
}

static Ending read_span(Scan *scan, void *void_context)
{
    SpanContext *context = void_context;
    const Byte *start = scan->at;
    draft_begin(context->draft);
    Ending ending = read_object(scan, read_span_field, context);
    if (ending == PASSED) {
        return pass_span(scan, context);
    }
    if (ending == FINE && ((context->draft->seen & NEEDED) != NEEDED || context->draft->head.start_ns == 0)) {
        ending = UNUSUAL;
    }
    if (ending == FINE) {
        ending = draft_keep(context->draft, context->request, context->scope, start, scan->at - start);
    }
    draft_end(context->draft);
    return ending;
}

/* --- what is around spans ---------------------------------------------------------------------------------------- */

typedef struct {
    Request *request;
    Draft *draft;
    const Byte *resource, *scope; /* how they are written; `resource` holds for all its scopes */
    Py_ssize_t resource_size, scope_size;
    unsigned seen;
} Around;

enum { FIRST = 1, SECOND = 2 };

static const Byte unsaid[] = "null";

/* An object that came before is whole as soon as all of its bytes are there again. */
static Ending read_written(Scan *scan, const PyObject *last, const Byte **written, Py_ssize_t *size)
{
    *written = scan->at;
    Py_ssize_t same = scan->at < scan->end && *scan->at == '{' ? scope_repeats(last, scan->at, scan->end - scan->at) : 0;
    if (same > 0) {
        scan->at += same;
    }
    else {
        TRY(skip_value(scan, 0));
    }
    *size = scan->at - *written;
    return FINE;
}

static Ending read_spans(Scan *scan, Around *around)
{
    Scope scope;
    if (scope_ask(around->request, around->resource, around->resource_size, around->scope, around->scope_size,
                  &scope) < 0) {
        return FAILED;
    }
    SpanContext context = {around->request, &scope, around->draft};
    Ending ending = scope.pieces == NULL ? UNUSUAL : read_array(scan, read_span, &context);
    scope_release(&scope);
    return ending;
}

/* What is shared stands before the spans that share it, as everybody writes it. */
static Ending read_scope_field(Scan *scan, const Byte *name, size_t size, void *context)
{
    Around *around = context;
    if (IS("spans")) {
        TRY(once(&around->seen, SECOND));
        return read_spans(scan, around);
    }
    if (IS("scope")) {
        if (around->seen) {
            return UNUSUAL;
        }
        around->seen |= FIRST;
        return read_written(scan, around->request->reader->scope, &around->scope, &around->scope_size);
    }
    return IS("instrumentationLibrary") ? UNUSUAL : skip_value(scan, 0);
}

static Ending read_scope(Scan *scan, void *context)
{
    Around inner = *(Around *)context;
    inner.scope = unsaid;
    inner.scope_size = sizeof(unsaid) - 1;
    inner.seen = 0;
    TRY(read_object(scan, read_scope_field, &inner));
    return inner.seen & SECOND ? FINE : UNUSUAL;
}

static Ending read_resource_field(Scan *scan, const Byte *name, size_t size, void *context)
{
    Around *around = context;
    if (IS("scopeSpans")) {
        TRY(once(&around->seen, SECOND));
        return read_array(scan, read_scope, around);
    }
    if (IS("resource")) {
        if (around->seen) {
            return UNUSUAL;
        }
        around->seen |= FIRST;
        return read_written(scan, around->request->reader->resource, &around->resource, &around->resource_size);
    }
    return IS("instrumentationLibrarySpans") ? UNUSUAL : skip_value(scan, 0);
}

static Ending read_resource(Scan *scan, void *context)
{
    Around inner = *(Around *)context;
    inner.resource = unsaid;
    inner.resource_size = sizeof(unsaid) - 1;
    inner.seen = 0;
    return read_object(scan, read_resource_field, &inner);
}

static Ending read_request_field(Scan *scan, const Byte *name, size_t size, void *context)
{
    Around *around = context;
    if (IS("resourceSpans")) {
        TRY(once(&around->seen, FIRST));
        return read_array(scan, read_resource, around);
    }
    return skip_value(scan, 0);
}

Ending read_json(Request *request, const Byte *data, Py_ssize_t size)
{
    Draft draft;
    Scan scan = {data, data + size};
    Around around = {.request = request, .draft = &draft};
    skip_space(&scan);
    TRY(read_object(&scan, read_request_field, &around));
    skip_space(&scan);
    return scan.at == scan.end && around.seen ? FINE : UNUSUAL;
}
