/* What costs most in reading, in C: from the bytes of a request to its spans, and from those to turns.

   All of it is in Python too, in `plain_json.py`, `plain_protobuf.py` and `core/plain_turns.py`, which are used where
   this was not built, and for whatever is not quite as usual. Which attributes count, what they are called and what they
   mean is in neither: both are told by the tables of `core/dialects`. No byte is read beyond the end of what is given,
   whatever it holds. */

#include "native.h"

static PyMethodDef functions[] = {
    {"count_bytes", (PyCFunction)(void (*)(void))count_bytes, METH_FASTCALL, count_bytes_doc},
    {"runs_of", (PyCFunction)runs_of, METH_O, runs_of_doc},
    {NULL, NULL, 0, NULL},
};

static int exec_module(PyObject *module)
{
    if (vocabulary_ready(module) < 0 || pieces_ready(module) < 0 || span_ready(module) < 0 ||
        reader_ready(module) < 0 || turns_ready(module) < 0) {
        return -1;
    }
    return PyModule_AddIntMacro(module, INTERFACE);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec_module},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED}, /* types are shared */
#endif
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "agentnet_otel.sources.native._native",
    .m_doc = "What reading costs most, in C.",
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module_def);
}
