/* What a turn comes to: what `plain_turns` and `plain_usage` find out of its spans. */

#include "turns.h"

static int starts_before(const Span *one, const Span *other)
{
    if (one->head.start_ns != other->head.start_ns) {
        return one->head.start_ns < other->head.start_ns;
    }
    return memcmp(one->head.span_id, other->head.span_id, SPAN_ID_BYTES) < 0;
}

/* Spans come nearly in order: each is put behind those that start before it. */
static void collect(Turn *turn, int place)
{
    const Trace *trace = turn->trace;
    for (Py_ssize_t at = 0; at < trace->count; at++) {
        if (trace->nodes[at].turn == place) {
            Py_ssize_t into = turn->count++;
            turn->nested += trace->nodes[at].what == TURN;
            turn->busy_ns[at] = -1;
            for (; into > 0 && starts_before(trace->nodes[at].span, trace->nodes[turn->below[into - 1]].span); into--) {
                turn->below[into] = turn->below[into - 1];
            }
            turn->below[into] = (int16_t)at;
        }
    }
}

static Ending add_text(PyObject **texts, int *count, int most, PyObject *text)
{
    for (int at = 0; at < *count; at++) {
        int same = PyObject_RichCompareBool(texts[at], text, Py_EQ);
        if (same != 0) {
            return same < 0 ? FAILED : FINE;
        }
    }
    if (*count == most) {
        return UNUSUAL;
    }
    texts[(*count)++] = text;
    return FINE;
}

/* A whole number that spans say, if it is small enough to be summed up. */
static Ending number_in(PyObject *said, int64_t *number)
{
    int overflow = 0;
    long long value = said == NULL ? 0 : PyLong_AsLongLongAndOverflow(said, &overflow);
    if (value == -1 && PyErr_Occurred()) {
        return FAILED;
    }
    *number = value;
    return overflow || value < 0 || value >= EXACT / MAX_SPANS ? UNUSUAL : FINE;
}

/* The number of the purpose that a span says its tokens had; -1 where it says none that is known. */
static Ending purpose_of(const Words *words, const Span *span, int *category)
{
    PyObject *said = single(words, span, CATEGORY);
    PyObject *number = said == NULL ? NULL : PyDict_GetItemWithError(words->things[CATEGORY_NUMBERS], said);
    if (number == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    *category = number == NULL ? -1 : (int)PyLong_AsLong(number);
    return FINE;
}

/* Whether a span may stand inside a component, as `_may_stand_inside` has it. */
static Ending may_stand_inside(const Words *words, const Span *span, int component)
{
    int category = -1;
    if (!span->head.ours) {
        return UNUSUAL;
    }
    if (!keyset_meets(&words->spending, &span->head.has)) {
        return FINE;
    }
    TRY(purpose_of(words, span, &category));
    return component != words->inference && (!(words->purposeful >> component & 1) || category >= 0) ? FINE : UNUSUAL;
}

/* The place of the nearest component around a span, -1 where there is none but the turn. */
static Ending find_around(const Turn *turn, const Node *node, int *around)
{
    const Node *nodes = turn->trace->nodes;
    *around = -1;
    for (int above = node->above; &nodes[above] != turn->root; above = nodes[above].above) {
        if (nodes[above].what < COMPONENTS) {
            if (node->what != TURN) {
                TRY(may_stand_inside(turn->trace->words, node->span, nodes[above].what));
            }
            *around = *around < 0 ? above : *around;
        }
    }
    return FINE;
}

/* Take a component's time from what is around it; it has to begin when those beside it have ended. `now_ns`: until
   when those run that stand in the turn itself. */
static Ending add_time(Turn *turn, const Node *node, int around, int64_t *now_ns)
{
    const SpanHead *head = &node->span->head;
    int64_t duration_ns = head->end_ns - head->start_ns;
    if (around >= 0) {
        const Node *outer = &turn->trace->nodes[around];
        const SpanHead *of = &outer->span->head;
        if (turn->busy_ns[around] < 0 || head->start_ns < of->start_ns || head->end_ns > of->end_ns ||
            (head->start_ns == of->start_ns && head->end_ns == of->end_ns)) {
            return UNUSUAL; /* it leaves what is around it, or takes all of its time */
        }
        turn->own[outer->what] -= duration_ns;
        turn->stacked = 1;
        now_ns = &turn->busy_ns[around];
    }
    else {
        turn->attributed_ns += duration_ns;
    }
    if (head->start_ns < *now_ns) {
        return UNUSUAL;
    }
    *now_ns = head->end_ns;
    turn->busy_ns[node - turn->trace->nodes] = head->start_ns;
    turn->own[node->part] += duration_ns;
    turn->sums[node->part] += duration_ns;
    return FINE;
}

static Ending add_component(Turn *turn, const Node *node, int64_t *now_ns)
{
    const Words *words = turn->trace->words;
    int around;
    if (turn->sums[node->part] < 0) {
        turn->sums[node->part] = turn->own[node->part] = 0;
        turn->order[turn->component_count++] = node->part;
    }
    TRY(find_around(turn, node, &around));
    TRY(add_time(turn, node, around, now_ns));
    turn->step_count++;
    turn->counts[node->part]++;
    if (node->what == words->tool) {
        PyObject *name = either(first(words, node->span, SUBJECT), words->things[NO_SUBJECT]);
        return add_text(turn->tools, &turn->tool_count, MAX_TOOLS, name);
    }
    return FINE;
}

/* --- tokens and costs, as `plain_usage` counts them --------------------------------------------------------------- */

/* Count the tokens of a call. */
static Ending add_tokens(Turn *turn, ModelCall *call, PyObject **said)
{
    const Words *words = turn->trace->words;
    Tokens *tokens = call->tokens;
    for (int fact = 0; fact < TOKEN_FACTS; fact++) {
        said[fact] = first(words, call->span, INPUT + fact);
        Ending ending = number_in(said[fact], &tokens[fact].count);
        if (ending != FINE) {
            return ending;
        }
        tokens[fact].known = said[fact] != NULL;
        turn->tokens[fact].known |= tokens[fact].known;
        turn->tokens[fact].count += tokens[fact].count;
        call->tells |= tokens[fact].known;
    }
    TRY(purpose_of(words, call->span, &call->category));
    if (call->category < 0) {
        call->category = words->reasoning;
    }
    if (tokens[0].known || tokens[1].known) {
        if (turn->by_category[call->category] < 0) {
            turn->by_category[call->category] = 0;
            turn->category_order[turn->category_count++] = call->category;
        }
        turn->by_category[call->category] += tokens[0].count + tokens[1].count;
    }
    return FINE;
}

/* Which of the known sources a cost has: a word that is none of them, or none at all, is the span's own. */
static Ending rank_of(const Words *words, PyObject *source, long *rank)
{
    PyObject *number = source == NULL ? NULL : PyDict_GetItemWithError(words->things[COST_RANKS], source);
    if (number == NULL && PyErr_Occurred()) {
        return FAILED;
    }
    *rank = number == NULL ? words->told_cost : PyLong_AsLong(number);
    return FINE;
}

static Ending add_cost(Turn *turn, PyObject **list, PyObject *cost, PyObject *source)
{
    long rank;
    if (rank_of(turn->trace->words, source, &rank) != FINE) {
        return FAILED;
    }
    if (*list == NULL && (*list = PyList_New(0)) == NULL) {
        return FAILED;
    }
    turn->cost_rank = rank > turn->cost_rank ? rank : turn->cost_rank;
    return PyList_Append(*list, cost) < 0 ? FAILED : FINE;
}

/* Ask what a call cost that does not say it. */
static Ending reckon(Turn *turn, const Span *call, PyObject *model, PyObject *const *said)
{
    const Words *words = turn->trace->words;
    if (turn->trace->prices == Py_None || model == NULL || (said[0] == NULL && said[1] == NULL)) {
        turn->unpriced = 1;
        return FINE;
    }
    PyObject *asked = either(single(words, call, REQUEST_MODEL), single(words, turn->root->span, REQUEST_MODEL));
    PyObject *at_ns = PyLong_FromLongLong(call->head.start_ns);
    if (at_ns == NULL) {
        return FAILED;
    }
    PyObject *arguments[] = {
        turn->trace->prices, model, either(asked, Py_None), either(said[0], Py_None), either(said[1], Py_None),
        either(said[2], Py_None), either(said[3], Py_None), at_ns, either(first(words, call, PROVIDER), Py_None),
        either(single(words, call, BATCH), Py_False),
    };
    PyObject *price = PyObject_Vectorcall(words->things[PRICE], arguments, sizeof(arguments) / sizeof(*arguments), NULL);
    Py_DECREF(at_ns);
    Ending ending = price == NULL ? FAILED : FINE;
    if (price == Py_None) {
        turn->unpriced = 1;
    }
    else if (price != NULL) {
        ending = PyTuple_CheckExact(price) && PyTuple_GET_SIZE(price) == 2
                     ? add_cost(turn, &turn->reckoned, PyTuple_GET_ITEM(price, 0), PyTuple_GET_ITEM(price, 1))
                     : UNUSUAL;
    }
    Py_XDECREF(price);
    return ending;
}

static Ending add_call(Turn *turn, const Span *span)
{
    const Words *words = turn->trace->words;
    PyObject *said[TOKEN_FACTS];
    ModelCall call = {.span = span};
    call.model = either(either(single(words, span, RESPONSE_MODEL), single(words, span, REQUEST_MODEL)),
                        single(words, turn->root->span, REQUEST_MODEL));
    Ending ending = call.model == NULL ? FINE : add_text(turn->models, &turn->model_count, MAX_MODELS, call.model);
    if (ending == FINE) {
        ending = add_tokens(turn, &call, said);
    }
    if (ending != FINE) {
        return ending;
    }
    if (turn->call_count < MAX_CALLS) {
        turn->calls[turn->call_count] = call;
    }
    turn->call_count++;
    turn->estimated |= call.tells && is_true(single(words, span, ESTIMATED));
    PyObject *cost = first(words, span, COST);
    if (cost != NULL) {
        return add_cost(turn, &turn->costs, cost, single(words, span, COST_SOURCE));
    }
    return call.tells ? reckon(turn, span, call.model, said) : FINE;
}

/* Whether Python has to look at a turn: something is in its spans that is not looked at here. */
static int is_eventful(const Turn *turn)
{
    for (Py_ssize_t at = 0; at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        if (node->what != TURN && node->span->events != NULL) {
            return 1;
        }
    }
    return turn->root->span->events != NULL;
}

/* Go through all of a turn, as `parts_of` does. */
Ending analyse(Turn *turn)
{
    const Words *words = turn->trace->words;
    const SpanHead *root = &turn->root->span->head;
    int64_t now_ns = root->start_ns;
    if (is_eventful(turn) || root->start_ns > root->end_ns || root->end_ns - root->start_ns >= EXACT ||
        keyset_meets(&words->spending, &root->has)) {
        return UNUSUAL;
    }
    for (Py_ssize_t at = 0; at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        const SpanHead *head = &node->span->head;
        if (head->start_ns < root->start_ns || head->end_ns < head->start_ns || head->end_ns > root->end_ns ||
            (node->what != words->inference && node->what != TURN && keyset_meets(&words->spending, &head->has))) {
            return UNUSUAL;
        }
        Ending ending = node->part < COMPONENTS ? add_component(turn, node, &now_ns) : FINE;
        if (ending == FINE && node->what == words->inference) {
            ending = add_call(turn, node->span);
        }
        if (ending != FINE) {
            return ending;
        }
    }
    return FINE;
}

/* --- the turn as a whole ------------------------------------------------------------------------------------------ */

int put(PyObject *dict, PyObject *key, PyObject *value)
{
    int done = value == NULL ? -1 : PyDict_SetItem(dict, key, value);
    Py_XDECREF(value);
    return done;
}

PyObject *tuple_of(PyObject *const *items, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int at = 0; tuple != NULL && at < count; at++) {
        PyTuple_SET_ITEM(tuple, at, Py_NewRef(items[at]));
    }
    return tuple;
}

PyObject *session_around(const Turn *turn, Ending *ending)
{
    int above = turn->root->above;
    for (int level = 0; level < MAX_LEVELS; level++) {
        if (above < 0) {
            return NULL;
        }
        PyObject *session = first(turn->trace->words, turn->trace->nodes[above].span, SESSION);
        if (session != NULL) {
            return session;
        }
        above = turn->trace->nodes[above].above;
    }
    *ending = UNUSUAL; /* it is too deep */
    return NULL;
}

PyObject *first_below(const Turn *turn, int fact)
{
    for (Py_ssize_t at = 0; at < turn->count; at++) {
        const Node *node = &turn->trace->nodes[turn->below[at]];
        PyObject *said = node->what == TURN ? NULL : first(turn->trace->words, node->span, fact);
        if (said != NULL) {
            return said;
        }
    }
    return NULL;
}

static int tells_of_tokens(const Turn *turn)
{
    return turn->tokens[0].known || turn->tokens[1].known || turn->tokens[2].known || turn->tokens[3].known;
}

static int64_t total_of(const Turn *turn) { return turn->tokens[0].count + turn->tokens[1].count; }

/* The turn's own word on its tokens by category, if it agrees with its calls; otherwise what those come to. */
static Ending find_categories(const Turn *turn, PyObject *names, Whole *whole, int *trusted)
{
    const Words *words = turn->trace->words;
    PyObject *told = PyDict_New();
    int64_t sum = 0, count;
    Ending ending = told == NULL ? FAILED : FINE;
    for (int at = 0; ending == FINE && at < CATEGORIES; at++) {
        PyObject *said = span_says(turn->root->span, words->category_keys[at]);
        if (said != NULL) {
            ending = number_in(said, &count);
            if (ending == FINE && PyDict_SetItem(told, PyTuple_GET_ITEM(names, at), said) < 0) {
                ending = FAILED;
            }
            sum += count;
        }
    }
    *trusted = ending == FINE && PyDict_GET_SIZE(told) > 0 && (!tells_of_tokens(turn) || sum == total_of(turn));
    if (ending == FINE && !*trusted) {
        PyDict_Clear(told);
        for (int at = 0; ending == FINE && at < turn->category_count; at++) {
            int category = turn->category_order[at];
            PyObject *number = PyLong_FromLongLong(turn->by_category[category]);
            ending = put(told, PyTuple_GET_ITEM(names, category), number) < 0 ? FAILED : FINE;
        }
    }
    whole->categories = told;
    return ending;
}

/* Efficiency, and who judged the quality in it. */
static Ending find_efficiency(const Turn *turn, Whole *whole, int told_counts)
{
    const Words *words = turn->trace->words;
    const Span *root = turn->root->span;
    PyObject *numbers = Py_BuildValue("LLL", (long long)turn->tokens[1].count, (long long)total_of(turn),
                                      (long long)duration_of(root));
    if (numbers == NULL) {
        return FAILED;
    }
    int counted = turn->tokens[0].known || turn->tokens[1].known;
    PyObject *efficiency = told_counts ? single(words, root, EFFICIENCY) : NULL;
    PyObject *arguments[] = {
        either(efficiency, Py_None), either(single(words, root, QUALITY_SOURCE), Py_None),
        either(single(words, root, QUALITY), Py_None), either(single(words, root, CONFIDENCE), Py_None),
        counted ? numbers : Py_None,
    };
    PyObject *made = PyObject_Vectorcall(words->things[EFFICIENCY_OF], arguments,
                                         sizeof(arguments) / sizeof(*arguments), NULL);
    Py_DECREF(numbers);
    Ending ending = made == NULL ? FAILED : UNUSUAL;
    if (made != NULL && PyTuple_CheckExact(made) && PyTuple_GET_SIZE(made) == 2) {
        whole->efficiency = Py_NewRef(PyTuple_GET_ITEM(made, 0));
        whole->quality_source = Py_NewRef(PyTuple_GET_ITEM(made, 1));
        ending = FINE;
    }
    Py_XDECREF(made);
    return ending;
}

/* All costs together, as Python sums them up: first those that were told. */
static PyObject *sum_of_costs(Turn *turn)
{
    if (turn->costs == NULL) {
        turn->costs = Py_XNewRef(turn->reckoned);
    }
    else if (turn->reckoned != NULL && PyList_SetSlice(turn->costs, PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, turn->reckoned) < 0) {
        return NULL;
    }
    if (PyList_GET_SIZE(turn->costs) == 1) {
        return Py_NewRef(PyList_GET_ITEM(turn->costs, 0));
    }
    return PyObject_CallOneArg(turn->trace->words->things[SUM], turn->costs);
}

static Ending find_cost(Turn *turn, Whole *whole)
{
    const Words *words = turn->trace->words;
    PyObject *told = single(words, turn->root->span, TURN_COST);
    whole->cost_rank = turn->unpriced ? -1 : turn->cost_rank;
    if (told != NULL) {
        whole->cost = Py_NewRef(told);
        return rank_of(words, single(words, turn->root->span, TURN_COST_SOURCE), &whole->cost_rank);
    }
    whole->cost = whole->cost_rank < 0 ? Py_NewRef(Py_None) : sum_of_costs(turn);
    return FINE;
}

static Ending find_outcome(const Turn *turn, Whole *whole)
{
    const Words *words = turn->trace->words;
    PyObject *said = single(words, turn->root->span, OUTCOME);
    int is_one = said == NULL ? 0 : PyDict_Contains(words->things[OUTCOMES], said);
    if (is_one < 0) {
        return FAILED;
    }
    whole->outcome = is_one ? Py_NewRef(said)
                            : PyObject_CallOneArg(words->things[OUTCOME_OF], (PyObject *)turn->root->span);
    return FINE;
}

static Ending find_names(const Turn *turn, Whole *whole)
{
    const Words *words = turn->trace->words;
    Span *root = turn->root->span;
    Ending ending = FINE;
    PyObject *around = session_around(turn, &ending);
    PyObject *model = either(single(words, root, RESPONSE_MODEL), single(words, root, REQUEST_MODEL));
    PyObject *violations = single(words, root, VIOLATIONS);
    whole->trace_id = span_trace_text(root);
    whole->span_id = span_span_text(root);
    whole->turn_id = Py_XNewRef(either(single(words, root, TURN_ID), whole->span_id));
    whole->session = known(either(either(first(words, root, SESSION), around), first_below(turn, SESSION)));
    whole->models = turn->model_count == 0 && model != NULL ? tuple_of(&model, 1)
                                                            : tuple_of(turn->models, turn->model_count);
    whole->violations = violations == NULL ? PyLong_FromLong(0) : Py_NewRef(violations);
    whole->estimated = PyBool_FromLong(turn->estimated || is_true(single(words, root, ESTIMATED)));
    return ending;
}

Ending sum_up(Turn *turn, PyObject *category_names, Whole *whole)
{
    int trusted = 0;
    Ending ending = find_names(turn, whole);
    if (ending == FINE) {
        ending = find_outcome(turn, whole);
    }
    if (ending == FINE) {
        ending = find_categories(turn, category_names, whole, &trusted);
    }
    if (ending == FINE) {
        ending = find_efficiency(turn, whole, trusted || !tells_of_tokens(turn));
    }
    if (ending == FINE) {
        ending = find_cost(turn, whole);
    }
    int made = whole->turn_id != NULL && whole->trace_id != NULL && whole->session != NULL && whole->outcome != NULL &&
               whole->models != NULL && whole->cost != NULL && whole->violations != NULL && whole->estimated != NULL;
    return ending == FINE && !made ? FAILED : ending;
}

void whole_end(Whole *whole)
{
    PyObject *all[] = {
        whole->turn_id, whole->trace_id, whole->span_id, whole->session, whole->outcome, whole->models,
        whole->categories, whole->efficiency, whole->quality_source, whole->cost, whole->violations, whole->estimated,
    };
    for (size_t at = 0; at < sizeof(all) / sizeof(*all); at++) {
        Py_XDECREF(all[at]);
    }
}

PyObject *ending_key(const Turn *turn, PyObject *trace_id, PyObject *span_id)
{
    const SpanHead *root = &turn->root->span->head;
    return Py_BuildValue("(LLOO)", (long long)root->end_ns, (long long)root->start_ns, trace_id, span_id);
}

void turn_begin(Turn *turn, Trace *trace, int place)
{
    turn->trace = trace;
    turn->root = &trace->nodes[place];
    turn->count = 0;
    turn->nested = turn->stacked = 0;
    turn->attributed_ns = 0;
    turn->component_count = turn->step_count = turn->tool_count = turn->model_count = turn->call_count = 0;
    turn->category_count = turn->estimated = turn->unpriced = 0;
    turn->costs = turn->reckoned = NULL;
    turn->cost_rank = -1;
    memset(turn->sums, 0xFF, sizeof(turn->sums));
    memset(turn->counts, 0, sizeof(turn->counts));
    memset(turn->by_category, 0xFF, sizeof(turn->by_category));
    memset(turn->tokens, 0, sizeof(turn->tokens));
    collect(turn, place);
}

void turn_end(Turn *turn)
{
    Py_XDECREF(turn->costs);
    Py_XDECREF(turn->reckoned);
}
