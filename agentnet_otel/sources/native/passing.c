/* Past a JSON object of which nothing is wanted, without looking at what is in it: somebody else reads it.

   64 bytes at a time become four words of a bit a byte: where quotes, backslashes, and braces are. Which bits are within
   texts follows from the quotes alone, by adding each to all that are behind it. */

#include "native.h"

#ifdef __SSE2__
#include <emmintrin.h>

#define BLOCK 64

typedef struct {
    uint64_t quotes, backslashes, opens, closes;
} Marks;

static inline uint64_t bits_of(const __m128i some[4], char wanted)
{
    const __m128i all = _mm_set1_epi8(wanted);
    uint64_t bits = 0;
    for (int part = 3; part >= 0; part--) {
        bits = bits << 16 | (uint16_t)_mm_movemask_epi8(_mm_cmpeq_epi8(some[part], all));
    }
    return bits;
}

static inline Marks marks_of(const Byte *at)
{
    __m128i some[4];
    for (int part = 0; part < 4; part++) {
        some[part] = _mm_loadu_si128((const __m128i *)(at + 16 * part));
    }
    return (Marks){bits_of(some, '"'), bits_of(some, '\\'), bits_of(some, '{'), bits_of(some, '}')};
}

/* The marks at the end, where no whole block is left. */
static Marks last_marks_of(const Byte *at, const Byte *end)
{
    Byte block[BLOCK] = {0};
    memcpy(block, at, (size_t)(end - at));
    return marks_of(block);
}

/* The quotes that are not escaped. `*escaped`: whether the first byte is, then, whether the first behind the block is. */
static inline uint64_t plain_quotes(Marks marks, int *escaped)
{
    uint64_t quotes = marks.quotes, backslashes = marks.backslashes;
    if (*escaped) {
        quotes &= ~(uint64_t)1;
        backslashes &= ~(uint64_t)1;
        *escaped = 0;
    }
    while (backslashes != 0) {
        int place = __builtin_ctzll(backslashes);
        if (place == BLOCK - 1) {
            *escaped = 1;
            break;
        }
        uint64_t both = (uint64_t)3 << place;
        backslashes &= ~both;
        quotes &= ~both;
    }
    return quotes;
}

/* The bits from each odd quote to the one before the next. */
static inline uint64_t between(uint64_t quotes)
{
    for (int shift = 1; shift < BLOCK; shift *= 2) {
        quotes ^= quotes << shift;
    }
    return quotes;
}

const Byte *end_of_object(const Byte *at, const Byte *end)
{
    uint64_t inside = 0; /* all bits, if the block begins within a text */
    Py_ssize_t depth = 1;
    int escaped = 0;
    while (at < end) {
        Marks marks = end - at >= BLOCK ? marks_of(at) : last_marks_of(at, end);
        uint64_t text = between(plain_quotes(marks, &escaped)) ^ inside;
        inside = (uint64_t)0 - (text >> (BLOCK - 1));
        uint64_t braces = (marks.opens | marks.closes) & ~text;
        for (; braces != 0; braces &= braces - 1) {
            uint64_t lowest = braces & -braces;
            if (marks.opens & lowest) {
                depth++;
            }
            else if (--depth == 0) {
                return at + __builtin_ctzll(lowest) + 1;
            }
        }
        at += end - at >= BLOCK ? BLOCK : end - at;
    }
    return NULL;
}

#else

const Byte *end_of_object(const Byte *at, const Byte *end)
{
    int inside = 0;
    Py_ssize_t depth = 1;
    for (; at < end; at++) {
        if (inside && *at == '\\') {
            at += end - at > 1;
        }
        else if (*at == '"') {
            inside = !inside;
        }
        else if (!inside && *at == '{') {
            depth++;
        }
        else if (!inside && *at == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

#endif
