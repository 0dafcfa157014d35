/* A turn with all that a `Turn` has: what `plain_whole` makes of it. */

#include "turns.h"

/* The fields of each class, in the order in which `native/turns.py` names them. */
enum {
    T_TURN_ID, T_TRACE_ID, T_SPAN_ID, T_AGENT, T_START, T_END, T_OUTCOME, T_PARENT, T_ERROR_TYPE, T_SESSION, T_SERVICE,
    T_MODEL, T_MODELS, T_SELF, T_SUM, T_COUNTS, T_UNATTRIBUTED, T_STEPS, T_TOKENS, T_BY_CATEGORY, T_BY_MODEL, T_SHARES,
    T_CONTEXT, T_COST, T_COST_SOURCE, T_CONFIDENCE, T_QUALITY, T_QUALITY_SOURCE, T_EFFICIENCY, T_PROMPT, T_RESPONSE,
    T_FIRST_TOKEN, T_ATTEMPTS, T_MODEL_CALLS, T_TOOL_CALLS, T_VIOLATION_COUNT, T_VIOLATIONS, T_SPANS, T_REVISION,
    T_ESTIMATED, T_INCOMPLETE, T_FALLBACK, T_INTERRUPTED, T_RECORDED, T_SAMPLING, T_CLIPPED, T_FIELDS
};
#define MAX_STEPS 24

static PyObject *boxed(int64_t number) { return PyLong_FromLongLong(number); }

/* --- tokens ------------------------------------------------------------------------------------------------------ */

static PyObject *usage_of(const Words *words, const Tokens *tokens)
{
    PyObject *values[TOKEN_FACTS] = {NULL}, *usage = NULL;
    int any = 0, made = 1;
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        any |= tokens[fact].known;
        values[fact] = tokens[fact].known ? boxed(tokens[fact].count) : Py_NewRef(Py_None);
        made &= values[fact] != NULL;
    }
    if (made) {
        usage = any ? make(words, USAGE_CLASS, values) : Py_NewRef(words->things[NO_USAGE]);
    }
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        Py_XDECREF(values[fact]);
    }
    return usage;
}

/* Tokens that have a model, and perhaps a purpose, in common. */
typedef struct {
    PyObject *model; /* borrowed; NULL where it is not said */
    int category;
    Tokens tokens[TOKEN_FACTS];
} Share;

static Ending is_same(PyObject *one, PyObject *other, int *same)
{
    *same = one == other;
    if (!*same && one != NULL && other != NULL) {
        *same = PyObject_RichCompareBool(one, other, Py_EQ);
    }
    return *same < 0 ? FAILED : FINE;
}

static Ending add_to_shares(Share *shares, int *count, const ModelCall *call, int category)
{
    int at = 0, same = 0;
    for (; at < *count; at++) {
        if (is_same(shares[at].model, call->model, &same) != FINE) {
            return FAILED;
        }
        if (same && shares[at].category == category) {
            break;
        }
    }
    if (at == *count) {
        shares[(*count)++] = (Share){.model = call->model, .category = category};
    }
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        shares[at].tokens[fact].known |= call->tokens[fact].known;
        shares[at].tokens[fact].count += call->tokens[fact].count;
    }
    return FINE;
}

/* The model with most output tokens; of several the first by name. */
static PyObject *main_model(const Share *shares, int count)
{
    const Share *best = NULL;
    for (const Share *share = shares; share < shares + count; share++) {
        if (share->model != NULL &&
            (best == NULL || share->tokens[1].count > best->tokens[1].count ||
             (share->tokens[1].count == best->tokens[1].count && PyUnicode_Compare(share->model, best->model) < 0))) {
            best = share;
        }
    }
    return best == NULL ? NULL : best->model;
}

static PyObject *by_model(const Words *words, const Share *shares, int count)
{
    PyObject *found = PyDict_New();
    for (const Share *share = shares; found != NULL && share < shares + count; share++) {
        if (share->model != NULL && put(found, share->model, usage_of(words, share->tokens)) < 0) {
            Py_CLEAR(found);
        }
    }
    return found;
}

static PyObject *shares_of(const Words *words, const Share *shares, int count)
{
    PyObject *found = PyTuple_New(count);
    for (int at = 0; found != NULL && at < count; at++) {
        PyObject *usage = usage_of(words, shares[at].tokens), *share = NULL;
        if (usage != NULL) {
            PyObject *category = PyTuple_GET_ITEM(words->things[CATEGORY_MEMBERS], shares[at].category);
            share = make(words, SHARE_CLASS, (PyObject *[]){either(shares[at].model, Py_None), category, usage});
            Py_DECREF(usage);
        }
        if (share == NULL) {
            Py_CLEAR(found);
        }
        else {
            PyTuple_SET_ITEM(found, at, share);
        }
    }
    return found;
}

static PyObject *model_call(const Words *words, const ModelCall *call)
{
    PyObject *duration = boxed(duration_of(call->span)), *usage = usage_of(words, call->tokens), *made = NULL;
    if (duration != NULL && usage != NULL) {
        PyObject *values[] = {
            duration, usage, either(first(words, call->span, PROVIDER), Py_None),
            either(single(words, call->span, REQUEST_MODEL), Py_None),
            either(single(words, call->span, RESPONSE_MODEL), Py_None),
            either(single(words, call->span, ERROR_TYPE), Py_None),
        };
        made = make(words, CALL_CLASS, values);
    }
    Py_XDECREF(duration);
    Py_XDECREF(usage);
    return made;
}

static PyObject *model_calls(const Turn *turn)
{
    PyObject *found = PyTuple_New(turn->call_count);
    for (int at = 0; found != NULL && at < turn->call_count; at++) {
        PyObject *call = model_call(turn->trace->words, &turn->calls[at]);
        if (call == NULL) {
            Py_CLEAR(found);
        }
        else {
            PyTuple_SET_ITEM(found, at, call);
        }
    }
    return found;
}

static PyObject *context_of(const Turn *turn)
{
    int64_t most = -1;
    for (int at = 0; at < turn->call_count; at++) {
        const Tokens *input = &turn->calls[at].tokens[0];
        most = input->known && input->count > most ? input->count : most;
    }
    return most < 0 ? Py_NewRef(Py_None) : boxed(most);
}

static Ending fill_tokens(const Turn *turn, PyObject **fields)
{
    const Words *words = turn->trace->words;
    const Span *root = turn->root->span;
    Share models[MAX_CALLS], shares[MAX_CALLS];
    int model_count = 0, share_count = 0;
    Ending ending = FINE;
    for (int at = 0; ending == FINE && at < turn->call_count; at++) {
        const ModelCall *call = &turn->calls[at];
        if (call->tells && call->model != NULL) {
            ending = add_to_shares(models, &model_count, call, 0);
        }
        if (ending == FINE && (call->tokens[0].known || call->tokens[1].known)) {
            ending = add_to_shares(shares, &share_count, call, call->category);
        }
    }
    if (ending != FINE) {
        return ending;
    }
    PyObject *named = either(single(words, root, RESPONSE_MODEL), single(words, root, REQUEST_MODEL));
    PyObject *first_model = turn->model_count > 0 ? turn->models[0] : NULL;
    fields[T_MODEL] = known(either(either(main_model(models, model_count), named), first_model));
    fields[T_TOKENS] = usage_of(words, turn->tokens);
    fields[T_BY_MODEL] = by_model(words, models, model_count);
    fields[T_SHARES] = shares_of(words, shares, share_count);
    fields[T_CONTEXT] = context_of(turn);
    fields[T_MODEL_CALLS] = model_calls(turn);
    return FINE;
}

/* --- components -------------------------------------------------------------------------------------------------- */

static PyObject *component_of(const Turn *turn, int component)
{
    return PyTuple_GET_ITEM(turn->trace->words->things[COMPONENT_MEMBERS], component);
}

static PyObject *times_of(const Turn *turn, const int64_t *times_ns)
{
    PyObject *sums = PyDict_New();
    for (int at = 0; sums != NULL && at < turn->component_count; at++) {
        int component = turn->order[at];
        if (put(sums, component_of(turn, component), boxed(times_ns[component])) < 0) {
            Py_CLEAR(sums);
        }
    }
    return sums;
}

static PyObject *counts_of(const Turn *turn)
{
    PyObject *counts = PyDict_New();
    for (int at = 0; counts != NULL && at < turn->component_count; at++) {
        int component = turn->order[at];
        if (put(counts, component_of(turn, component), PyLong_FromLong(turn->counts[component])) < 0) {
            Py_CLEAR(counts);
        }
    }
    return counts;
}

static PyObject *step_of(const Turn *turn, const Node *node)
{
    PyObject *offset = boxed(node->span->head.start_ns - turn->root->span->head.start_ns);
    PyObject *duration = boxed(duration_of(node->span)), *step = NULL;
    if (offset != NULL && duration != NULL) {
        PyObject *values[] = {component_of(turn, node->part), offset, duration};
        step = make(turn->trace->words, STEP_CLASS, values);
    }
    Py_XDECREF(offset);
    Py_XDECREF(duration);
    return step;
}

static PyObject *steps_of(const Turn *turn)
{
    PyObject *steps = PyTuple_New(turn->step_count);
    int count = 0;
    for (Py_ssize_t at = 0; steps != NULL && at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        if (node->part < COMPONENTS) {
            PyObject *step = step_of(turn, node);
            if (step == NULL) {
                Py_CLEAR(steps);
            }
            else {
                PyTuple_SET_ITEM(steps, count++, step);
            }
        }
    }
    return steps;
}

static PyObject *tool_call(const Words *words, const Span *span)
{
    PyObject *duration = boxed(duration_of(span)), *made = NULL;
    PyObject *ended = words->things[span->head.status == MAX_STATUS ? WENT_WRONG : WENT_WELL];
    if (duration != NULL) {
        PyObject *values[] = {
            either(first(words, span, SUBJECT), words->things[NO_SUBJECT]), either(single(words, span, TOOL_OUTCOME), ended),
            duration, either(single(words, span, ERROR_TYPE), Py_None),
        };
        made = make(words, TOOL_CLASS, values);
    }
    Py_XDECREF(duration);
    return made;
}

static PyObject *tool_calls(const Turn *turn)
{
    const Words *words = turn->trace->words;
    PyObject *found = PyTuple_New(turn->counts[words->tool]);
    int count = 0;
    for (Py_ssize_t at = 0; found != NULL && at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        if (node->what == words->tool) {
            PyObject *call = tool_call(words, node->span);
            if (call == NULL) {
                Py_CLEAR(found);
            }
            else {
                PyTuple_SET_ITEM(found, count++, call);
            }
        }
    }
    return found;
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

/* They may be any numbers, so Python adds them up. */
static PyObject *attempts_of(const Turn *turn)
{
    PyObject *sum = NULL;
    for (Py_ssize_t at = 0; at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        PyObject *said = node->what == TURN ? NULL : single(turn->trace->words, node->span, ATTEMPTS);
        if (said != NULL) {
            PyObject *before = sum;
            sum = before == NULL ? Py_NewRef(said) : PyNumber_Add(before, said);
            Py_XDECREF(before);
            if (sum == NULL) {
                return NULL;
            }
        }
    }
    return sum == NULL ? Py_NewRef(Py_None) : sum;
}

/* When the first token came; asked of Python where anybody tells. */
static PyObject *first_token(const Turn *turn)
{
    const Words *words = turn->trace->words;
    PyObject *told = single(words, turn->root->span, FIRST_TOKEN);
    if (told == NULL && first_below(turn, FIRST_CHUNK) == NULL) {
        return Py_NewRef(Py_None);
    }
    PyObject *chunks = PyList_New(0), *found = NULL;
    for (Py_ssize_t at = 0; chunks != NULL && at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        const Span *span = node->span;
        PyObject *chunk = node->what == TURN ? NULL : first(words, span, FIRST_CHUNK);
        long long offset_ns = span->head.start_ns - turn->root->span->head.start_ns;
        PyObject *pair = Py_BuildValue("(LO)", offset_ns, either(chunk, Py_None));
        if (pair == NULL || PyList_Append(chunks, pair) < 0) {
            Py_CLEAR(chunks);
        }
        Py_XDECREF(pair);
    }
    if (chunks != NULL) {
        PyObject *arguments[] = {either(told, Py_None), chunks};
        found = PyObject_Vectorcall(words->things[FIRST_TOKEN_NS], arguments, 2, NULL);
        Py_DECREF(chunks);
    }
    return found;
}

static PyObject *flag(const Turn *turn, int key)
{
    return PyBool_FromLong(is_true(single(turn->trace->words, turn->root->span, key)));
}

static PyObject *said_by_root(const Turn *turn, int key)
{
    return known(single(turn->trace->words, turn->root->span, key));
}

/* A probability of 0 says nothing. */
static PyObject *sampling(const Turn *turn)
{
    PyObject *said = single(turn->trace->words, turn->root->span, SAMPLING);
    return known(said != NULL && PyFloat_AsDouble(said) == 0 ? NULL : said);
}

static void fill_said(const Turn *turn, PyObject **fields)
{
    const Words *words = turn->trace->words;
    PyObject *confidence = single(words, turn->root->span, CONFIDENCE);
    fields[T_ERROR_TYPE] = said_by_root(turn, ERROR_TYPE);
    fields[T_CONFIDENCE] = known(confidence);
    fields[T_QUALITY] = Py_NewRef(
        either(single(words, turn->root->span, QUALITY), either(confidence, words->things[ASSUMED_QUALITY])));
    fields[T_PROMPT] = said_by_root(turn, PROMPT_LENGTH);
    fields[T_RESPONSE] = said_by_root(turn, RESPONSE_LENGTH);
    fields[T_FALLBACK] = flag(turn, FALLBACK);
    fields[T_INTERRUPTED] = flag(turn, INTERRUPTED);
    fields[T_RECORDED] = flag(turn, RECORDED);
    fields[T_SAMPLING] = sampling(turn);
    fields[T_FIRST_TOKEN] = first_token(turn);
    fields[T_ATTEMPTS] = attempts_of(turn);
}

static void fill_own(const Turn *turn, PyObject **fields)
{
    const Words *words = turn->trace->words;
    Span *root = turn->root->span;
    PyObject *agent = either(single(words, root, AGENT_NAME), first_below(turn, AGENT));
    fields[T_AGENT] = agent == NULL ? PyUnicode_New(0, 0) : Py_NewRef(agent);
    fields[T_START] = boxed(root->head.start_ns);
    fields[T_END] = boxed(root->head.end_ns);
    fields[T_PARENT] = root->head.has_parent ? span_parent_text(root) : Py_NewRef(Py_None);
    fields[T_SERVICE] = PyObject_GetAttr(root->origin, words->things[SERVICE_NAME]);
    fields[T_SELF] = times_of(turn, turn->own);
    fields[T_SUM] = turn->stacked ? times_of(turn, turn->sums) : Py_XNewRef(fields[T_SELF]);
    fields[T_COUNTS] = counts_of(turn);
    fields[T_UNATTRIBUTED] = boxed(duration_of(root) - turn->attributed_ns);
    fields[T_STEPS] = steps_of(turn);
    fields[T_TOOL_CALLS] = tool_calls(turn);
    fields[T_VIOLATIONS] = PyTuple_New(0);
    fields[T_SPANS] = PyLong_FromSsize_t(spans_of(turn));
    fields[T_REVISION] = PyLong_FromLong(1);
    fields[T_CLIPPED] = PyLong_FromLong(0);
    fields[T_INCOMPLETE] = Py_NewRef(Py_False);
}

/* The member of an enumeration that a word is. */
static PyObject *member(PyObject *members, PyObject *word)
{
    PyObject *found = PyDict_GetItemWithError(members, word);
    if (found == NULL && !PyErr_Occurred()) {
        PyErr_SetObject(PyExc_KeyError, word);
    }
    return Py_XNewRef(found);
}

static void fill_whole(const Turn *turn, const Whole *whole, PyObject **fields)
{
    const Words *words = turn->trace->words;
    PyObject *sources = words->things[COST_MEMBERS];
    fields[T_TURN_ID] = Py_NewRef(whole->turn_id);
    fields[T_TRACE_ID] = Py_NewRef(whole->trace_id);
    fields[T_SPAN_ID] = Py_NewRef(whole->span_id);
    fields[T_SESSION] = Py_NewRef(whole->session);
    fields[T_OUTCOME] = member(words->things[OUTCOMES], whole->outcome);
    fields[T_MODELS] = Py_NewRef(whole->models);
    fields[T_BY_CATEGORY] = Py_NewRef(whole->categories);
    fields[T_COST] = Py_NewRef(whole->cost);
    fields[T_COST_SOURCE] = known(whole->cost_rank < 0 ? NULL : PyTuple_GET_ITEM(sources, whole->cost_rank));
    fields[T_EFFICIENCY] = Py_NewRef(whole->efficiency);
    fields[T_QUALITY_SOURCE] = member(words->things[QUALITY_SOURCES], whole->quality_source);
    fields[T_VIOLATION_COUNT] = Py_NewRef(whole->violations);
    fields[T_ESTIMATED] = Py_NewRef(whole->estimated);
}

/* Steps are in order of starting: two that begin at once have an order of their own, and of many the longest stay. */
static int has_plain_steps(const Turn *turn)
{
    int64_t before_ns = -1;
    for (Py_ssize_t at = 0; at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        if (node->part < COMPONENTS) {
            if (node->span->head.start_ns == before_ns) {
                return 0;
            }
            before_ns = node->span->head.start_ns;
        }
    }
    return turn->step_count <= MAX_STEPS;
}

static Ending fill(Turn *turn, Whole *whole, PyObject **fields)
{
    Ending ending = sum_up(turn, turn->trace->words->things[CATEGORY_MEMBERS], whole);
    if (ending == FINE) {
        ending = fill_tokens(turn, fields);
    }
    if (ending != FINE) {
        return ending;
    }
    fill_whole(turn, whole, fields);
    fill_own(turn, fields);
    fill_said(turn, fields);
    for (int at = 0; at < T_FIELDS; at++) {
        if (fields[at] == NULL) {
            return FAILED;
        }
    }
    return FINE;
}

Ending make_whole(Turn *turn, PyObject **told)
{
    PyObject *fields[T_FIELDS] = {NULL};
    Whole whole = {.cost_rank = -1};
    if (turn->call_count > MAX_CALLS || !has_plain_steps(turn)) {
        return UNUSUAL;
    }
    Ending ending = fill(turn, &whole, fields);
    if (ending == FINE) {
        PyObject *made = make(turn->trace->words, TURN_CLASS, fields);
        PyObject *key = made == NULL ? NULL : ending_key(turn, whole.trace_id, whole.span_id);
        *told = key == NULL ? NULL : PyTuple_Pack(2, key, made);
        Py_XDECREF(made);
        Py_XDECREF(key);
        ending = *told == NULL ? FAILED : FINE;
    }
    for (int at = 0; at < T_FIELDS; at++) {
        Py_XDECREF(fields[at]);
    }
    whole_end(&whole);
    return ending;
}
