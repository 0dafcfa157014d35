"""Bytes made out of bytes: one of a corpus, changed in a few places, by chance that a seed repeats."""

import json
import random

INTERESTING = (
    b"\0", b"\xff", b"\x80", b"\x0a", b"\x12\x00", b"\x0a\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\x0f",
    b"\xff" * 9 + b"\x01", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf", b"\n", b"\r\n", b" ",
    b"null", b"true", b"NaN", b"-1", b"0", b"1e999", b"-1e999", b"1e-999", b"18446744073709551616", b"9" * 400,
    b"0.1", b'"\\ud800"', b"\xed\xa0\x80", b'"\\u0000"', b"{}", b"[]", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\",
    b'{"resourceSpans":[]}', b'{"data":', b'"traceID"', b"&a=*a", b"*a", b"!!python/object:os.system", b"? ", b"- ",
    b"HTTP/1.1 200 OK\r\n\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"\r\n\r\n", b"%00", b"%",
)  # fmt: skip
JSON_VALUES = (
    None, True, False, 0, -1, 2**63, 2**64, 2**80, -(2**63) - 1, 1.5, 1e308, -0.0, "", "0", "-1", "NaN", "9" * 400, "x",
    "\u0000", "\ud7ff", [], {}, [[]], [{}], [None], {"": {}}, {"key": 1},
)  # fmt: skip
MAX_BYTES = 16 * 1024
DEEP = 3000
MANY = 200_000
"""Repetitions of a part at most, in an input that is to be large."""


def mutated(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """``data`` with one to eight changes; some take parts of ``others``."""
    for _ in range(1 + min(chance.getrandbits(3), chance.getrandbits(3))):
        data = chance.choice(CHANGES)(data, others, chance)[:MAX_BYTES]
    return _large(data, chance) if chance.random() < LARGE_SHARE else data


LARGE_SHARE = 0.003


def _large(data, chance):
    """A part of it again and again: what grows with each."""
    begin, end = _part(data, chance, 24)
    return data[:begin] + data[begin:end] * chance.randrange(1, MANY) + data[end:]


def _part(data, chance, longest=None):
    begin = chance.randrange(len(data) + 1)
    return begin, begin + chance.randrange(min(longest or len(data) + 1, len(data) + 1 - begin) + 1)


def _flip(data, others, chance):
    if not data:
        return b"\0"
    place = chance.randrange(len(data))
    return data[:place] + bytes((data[place] ^ 1 << chance.randrange(8),)) + data[place + 1 :]


def _set(data, others, chance):
    if not data:
        return b"{"
    place = chance.randrange(len(data))
    return data[:place] + bytes((chance.randrange(256),)) + data[place + 1 :]


def _insert(data, others, chance):
    place = chance.randrange(len(data) + 1)
    return data[:place] + chance.choice(INTERESTING) + data[place:]


def _replace(data, others, chance):
    begin, end = _part(data, chance, 16)
    return data[:begin] + chance.choice(INTERESTING) + data[end:]


def _cut(data, others, chance):
    begin, end = _part(data, chance)
    return data[:begin] + data[end:]


def _end(data, others, chance):
    return data[: chance.randrange(len(data) + 1)]


def _repeat(data, others, chance):
    begin, end = _part(data, chance, 64)
    return data[:begin] + data[begin:end] * chance.randrange(2, 64) + data[end:]


def _nest(data, others, chance):
    place = chance.randrange(len(data) + 1)
    depth = chance.randrange(1, DEEP)
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"arrayValue":{"values":[', b"]}}")))
    return (
        data[:place] + opening * depth + chance.choice((b"1", b"")) + closing * chance.choice((0, depth)) + data[place:]
    )


def _splice(data, others, chance):
    other = chance.choice(others)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _append(data, others, chance):
    return data + chance.choice((b"", b"\n", b"\r\n", b"\0")) + chance.choice([*others, *INTERESTING])


def _shuffle_json(data, others, chance):
    """A value of a JSON document replaced by another one, so that it stays a document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _set(data, others, chance)
    places = list(_places(document))
    if not places:
        return json.dumps(chance.choice(JSON_VALUES)).encode()
    for _ in range(chance.randrange(1, 4)):
        holder, key = chance.choice(places)
        kind = chance.randrange(4)
        if kind == 0 and isinstance(holder, dict):
            holder.pop(key, None)
        elif kind == 1:
            other_holder, other_key = chance.choice(places)
            if key in _keys(holder) and other_key in _keys(other_holder):
                holder[key] = json.loads(json.dumps(other_holder[other_key]))
        else:
            holder[key] = chance.choice(JSON_VALUES)
    return json.dumps(document, separators=chance.choice(((",", ":"), (", ", ": ")))).encode()


def _keys(holder):
    return holder if isinstance(holder, dict) else range(len(holder))


def _places(document, depth=0):
    if depth > 50 or not isinstance(document, dict | list):
        return
    for key in document if isinstance(document, dict) else range(len(document)):
        yield document, key
        yield from _places(document[key], depth + 1)


CHANGES = (
    _flip, _set, _insert, _replace, _cut, _end, _repeat, _nest, _splice, _append, _shuffle_json, _shuffle_json,
    _shuffle_json, _shuffle_json,
)  # fmt: skip
