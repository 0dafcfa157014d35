/* Loops over bytes. */

#include "native.h"

/* --- UTF-8, as Unicode defines it: no surrogates, nothing longer than it need be ---------------------------------- */

static int is_continuation(Byte byte) { return (byte & 0xC0) == 0x80; }

const Byte *end_of_sequence(const Byte *at, const Byte *end)
{
    Py_ssize_t left = end - at;
    if (left >= 2 && at[0] >= 0xC2 && at[0] <= 0xDF && is_continuation(at[1])) {
        return at + 2;
    }
    if (left >= 3 && (at[0] & 0xF0) == 0xE0 && is_continuation(at[1]) && is_continuation(at[2])) {
        int overlong = at[0] == 0xE0 && at[1] < 0xA0, surrogate = at[0] == 0xED && at[1] >= 0xA0;
        return overlong || surrogate ? NULL : at + 3;
    }
    if (left >= 4 && at[0] >= 0xF0 && at[0] <= 0xF4 && is_continuation(at[1]) && is_continuation(at[2]) &&
        is_continuation(at[3])) {
        int overlong = at[0] == 0xF0 && at[1] < 0x90, too_large = at[0] == 0xF4 && at[1] >= 0x90;
        return overlong || too_large ? NULL : at + 4;
    }
    return NULL;
}

int is_utf8(const Byte *at, const Byte *end)
{
    while (at != NULL && at < end) {
        at = *at < 0x80 ? at + 1 : end_of_sequence(at, end);
    }
    return at != NULL;
}

/* --- counting ---------------------------------------------------------------------------------------------------- */

/* Sums of one byte are what compilers can make wide: so many at once cannot overflow. */
static Py_ssize_t count_byte(const Byte *at, Py_ssize_t size, Byte wanted)
{
    const Byte *end = at + size;
    Py_ssize_t count = 0;
    while (at < end) {
        const Byte *stop = end - at > 255 ? at + 255 : end;
        Byte some = 0;
        for (; at < stop; at++) {
            some += *at == wanted;
        }
        count += some;
    }
    return count;
}

/* The same of many bytes: `is_wanted` has 1 for each of them. */
static Py_ssize_t count_many(const Byte *at, Py_ssize_t size, const Byte *is_wanted)
{
    const Byte *end = at + size;
    Py_ssize_t even = 0, odd = 0;
    for (; end - at >= 2; at += 2) {
        even += is_wanted[at[0]];
        odd += is_wanted[at[1]];
    }
    return even + odd + (at < end ? is_wanted[*at] : 0);
}

#define FEW 4 /* going through the bytes so often is quicker than looking each of them up */

const char count_bytes_doc[] =
    "count_bytes(data, wanted, /)\n--\n\nHow many bytes of ``data`` are one of those of ``wanted``.";

PyObject *count_bytes(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyBytes_Check(args[0]) || !PyBytes_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "count_bytes takes bytes, and bytes to count in them");
        return NULL;
    }
    const Byte *data = (const Byte *)PyBytes_AS_STRING(args[0]);
    const Byte *wanted = (const Byte *)PyBytes_AS_STRING(args[1]);
    Py_ssize_t size = PyBytes_GET_SIZE(args[0]), wanted_size = PyBytes_GET_SIZE(args[1]), found = 0;
    Byte is_wanted[256] = {0};
    for (Py_ssize_t at = 0; at < wanted_size; at++) {
        is_wanted[wanted[at]] = 1;
        if (wanted_size <= FEW) {
            found += count_byte(data, size, wanted[at]);
        }
    }
    return PyLong_FromSsize_t(wanted_size <= FEW ? found : count_many(data, size, is_wanted));
}
