/* Spans by their traces, as they come: nearly always the spans of a trace stand together. */

#include "native.h"

/* A run: the id of its trace, its spans, whether a root is among them, and that all are plain. */
static PyObject *run_of(PyObject *spans, Py_ssize_t from, Py_ssize_t to, int rooted)
{
    PyObject *trace_id = span_trace_text((Span *)PyList_GET_ITEM(spans, from));
    PyObject *some = trace_id == NULL ? NULL : PyList_GetSlice(spans, from, to);
    if (some == NULL) {
        Py_XDECREF(trace_id);
        return NULL;
    }
    return Py_BuildValue("(NNOO)", trace_id, some, rooted ? Py_True : Py_False, Py_True);
}

static int add_run(PyObject *runs, PyObject *spans, Py_ssize_t from, Py_ssize_t to, int rooted)
{
    PyObject *run = run_of(spans, from, to, rooted);
    int done = run == NULL ? -1 : PyList_Append(runs, run);
    Py_XDECREF(run);
    return done;
}

static int add_runs(PyObject *runs, PyObject *spans)
{
    Py_ssize_t from = 0, count = PyList_GET_SIZE(spans);
    int rooted = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        const SpanHead *head = &((Span *)PyList_GET_ITEM(spans, at))->head;
        const SpanHead *begun = &((Span *)PyList_GET_ITEM(spans, from))->head;
        if (memcmp(head->trace_id, begun->trace_id, TRACE_ID_BYTES) != 0) {
            if (add_run(runs, spans, from, at, rooted) < 0) {
                return -1;
            }
            from = at;
            rooted = 0;
        }
        rooted |= !head->has_parent;
    }
    return count == 0 ? 0 : add_run(runs, spans, from, count, rooted);
}

const char runs_of_doc[] =
    "runs_of(spans, /)\n--\n\n"
    "A list of `Span`s cut where another trace begins: the trace id, its spans, whether a root is among them, and\n"
    "True. None where it holds anything but `Span`s.";

PyObject *runs_of(PyObject *Py_UNUSED(module), PyObject *spans)
{
    if (!PyList_CheckExact(spans)) {
        return PyErr_Format(PyExc_TypeError, "spans are a list");
    }
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(spans); at++) {
        if (!is_span(PyList_GET_ITEM(spans, at))) {
            Py_RETURN_NONE;
        }
    }
    PyObject *runs = PyList_New(0);
    if (runs != NULL && add_runs(runs, spans) < 0) {
        Py_CLEAR(runs);
    }
    return runs;
}
