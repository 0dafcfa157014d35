"""OTLP JSON: every form that writers use, and what a wrong part costs."""

import base64
import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.errors import InputError, TruncatedError
from agentnet_otel.model import SpanKind, StatusCode
from agentnet_otel.sources.otlp_json import MAX_KEYS, JsonDecoder

TRACE, SPAN, PARENT = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174", "eee19b7ec3c1b173"
COLLECTOR_LINE = (
    b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}],'
    b'"droppedAttributesCount":1},"scopeSpans":[{"scope":{"name":"lib","version":"1.2","attributes":[{"key":"a",'
    b'"value":{"boolValue":true}}]},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",'
    b'"spanId":"eee19b7ec3c1b174","traceState":"ot=th:8","parentSpanId":"eee19b7ec3c1b173","flags":769,'
    b'"name":"chat m","kind":3,"startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",'
    b'"attributes":[{"key":"i","value":{"intValue":"9223372036854775807"}}],"droppedAttributesCount":2,'
    b'"events":[{"timeUnixNano":"1544712660500000000","name":"e","attributes":[{"key":"x","value":'
    b'{"doubleValue":0.5}}],"droppedAttributesCount":3}],"droppedEventsCount":4,"links":[{"traceId":'
    b'"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175"}],"droppedLinksCount":5,"status":'
    b'{"message":"no","code":2}}],"schemaUrl":"https://opentelemetry.io/schemas/1.37.0"}],"schemaUrl":""}]}'
)
"""As the Collector's file exporter writes it."""


def decoded(data):
    """The spans, and what was told of bad ones."""
    told = []
    spans = list(JsonDecoder().decode(data if isinstance(data, bytes) else json.dumps(data).encode(), told.append))
    return spans, told


def span(**fields):
    """The least span."""
    return {"traceId": TRACE, "spanId": SPAN, "startTimeUnixNano": "5", "endTimeUnixNano": "7"} | fields


def request(*spans, **fields):
    """A request with these spans."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]} | fields]}


def only(data):
    """The one span of a request that holds nothing wrong."""
    spans, told = decoded(data)
    assert told == []
    (found,) = spans
    return found


def value(encoded):
    """What an encoded attribute value is read as."""
    return only(request(span(attributes=[{"key": "k", "value": encoded}]))).attributes["k"]


def test_a_line_of_the_collector():
    """Each field lands where it belongs; what is not needed is passed over."""
    found = only(COLLECTOR_LINE)
    assert (found.trace_id, found.span_id, found.parent_span_id) == (TRACE, SPAN, PARENT)
    assert (found.name, found.kind, found.trace_state) == ("chat m", SpanKind.CLIENT, "ot=th:8")
    assert (found.start_ns, found.end_ns) == (1544712660000000000, 1544712661000000000)
    assert (found.status, found.status_description, found.parent_is_remote) == (StatusCode.ERROR, "no", True)
    assert (found.service_name, found.scope_name, found.scope_version) == ("checkout", "lib", "1.2")
    assert found.resource == {"service.name": "checkout"}
    assert found.attributes == {"i": 2**63 - 1}
    (event,) = found.events
    assert (event.name, event.time_ns, event.attributes) == ("e", 1544712660500000000, {"x": 0.5})


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ({"stringValue": ""}, ""),
        ({"stringValue": "ä\u0000\n"}, "ä\u0000\n"),
        ({"boolValue": False}, False),
        ({"boolValue": True}, True),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": 0}, 0),
        ({"intValue": 3.0}, 3),
        ({"doubleValue": 1}, 1.0),
        ({"doubleValue": -1.5e-300}, -1.5e-300),
        ({"doubleValue": "Infinity"}, math.inf),
        ({"doubleValue": "-Infinity"}, -math.inf),
        ({"bytesValue": "+/8="}, b"\xfb\xff"),
        ({"bytesValue": "-_8"}, b"\xfb\xff"),
        ({"bytesValue": ""}, b""),
        ({"bytesValue": "no base64 at all"}, "no base64 at all"),
        ({"bytesValue": "ä"}, "ä"),
        ({"arrayValue": {"values": [{"intValue": "1"}, {}, {"arrayValue": {}}]}}, (1, None, ())),
        ({"arrayValue": {"values": None}}, ()),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"intValue": 1}}, {"key": "b"}]}}, {"a": 1, "b": None}),
        ({"kvlistValue": {}}, {}),
        ({}, None),
        (None, None),
        ({"stringValueStrindex": 4}, None),
        ({"stringValue": None, "intValue": "2"}, 2),
    ],
)  # fmt: skip
def test_values_of_every_type(encoded, expected):
    """All of OTLP's, in the forms that protobuf's JSON mapping allows; a kind that is not known is no value."""
    found = value(encoded)
    assert found == expected
    assert type(found) is type(expected)


def test_nan_is_read():
    """As text, which the mapping asks for, and bare, which Python's and JavaScript's writers make of it."""
    assert math.isnan(value({"doubleValue": "NaN"}))
    assert only(json.dumps(request(span(attributes=[{"key": "k", "value": {"doubleValue": math.nan}}]))).encode())


@pytest.mark.parametrize("kind", list(SpanKind))
def test_kinds_by_number_and_by_name(kind):
    """Both are the same."""
    for written in (kind.value, str(kind.value), f"SPAN_KIND_{kind.name}"):
        assert only(request(span(kind=written))).kind is kind


@pytest.mark.parametrize("code", list(StatusCode))
def test_status_codes_by_number_and_by_name(code):
    """Both are the same."""
    for written in (code.value, str(code.value), f"STATUS_CODE_{code.name}"):
        assert only(request(span(status={"code": written}))).status is code


def test_what_a_newer_specification_may_add_is_unspecified():
    """Kinds, status codes, fields."""
    found = only(request(span(kind=77, status={"code": "STATUS_CODE_MAYBE", "reason": 1}, mood="good")))
    assert (found.kind, found.status) == (SpanKind.UNSPECIFIED, StatusCode.UNSET)


@pytest.mark.parametrize(
    ("flags", "remote"),
    [(0, None), (1, None), (0x100, False), (0x101, False), (0x300, True), ("768", True), (0x200, None)],
)
def test_flags_tell_whether_the_parent_is_remote(flags, remote):
    """Only if the bit that says so is set."""
    assert only(request(span(flags=flags))).parent_is_remote is remote


def test_ids():
    """In any case; no parent is empty, zero or null."""
    found = only(request(span(traceId=TRACE.upper(), spanId=SPAN.upper(), parentSpanId=PARENT.upper())))
    assert (found.trace_id, found.span_id, found.parent_span_id) == (TRACE, SPAN, PARENT)
    for none in ("", "0" * 16, "0", None):
        assert only(request(span(parentSpanId=none))).parent_span_id is None
    several = [span(spanId=f"{n:016x}", parentSpanId=parent) for n, parent in enumerate((PARENT, "", PARENT, SPAN), 1)]
    assert [s.parent_span_id for s in decoded(request(*several))[0]] == [PARENT, None, PARENT, SPAN]


def test_ids_in_base64():
    """As protobuf's own writer has bytes; OTLP has hex, so no id can be taken for the other."""
    trace, own, parent = (base64.b64encode(bytes.fromhex(text)).decode() for text in (TRACE, SPAN, PARENT))
    found = only(request(span(traceId=trace, spanId=own, parentSpanId=parent)))
    assert (found.trace_id, found.span_id, found.parent_span_id) == (TRACE, SPAN, PARENT)
    found = only(request(span(traceId=trace.rstrip("="), spanId=own.rstrip("="), parentSpanId="AAAAAAAAAAA=")))
    assert (found.trace_id, found.span_id, found.parent_span_id) == (TRACE, SPAN, None)
    for wrong in ({"traceId": own}, {"spanId": trace}, {"traceId": "A" * 22 + "=="}, {"spanId": "*" * 12}):
        assert decoded(request(span(**wrong)))[0] == []


def test_null_is_a_field_that_is_not_set():
    """Everywhere, as protobuf's JSON mapping has it."""
    fields = ("parentSpanId", "traceState", "name", "kind", "attributes", "events", "status", "flags")
    found = only(request(span(**dict.fromkeys(fields))))
    assert (found.name, found.kind, found.attributes, found.events) == ("", SpanKind.UNSPECIFIED, {}, ())
    empty = {"resource": None, "scopeSpans": [{"scope": None, "spans": None}]}
    assert decoded({"resourceSpans": [empty, {"resource": {}, "scopeSpans": None}, {}]}) == ([], [])
    event = {"name": None, "timeUnixNano": None, "attributes": None}
    assert only(request(span(events=[event], status={"code": None, "message": None}))).events[0].name == ""
    assert decoded({"resourceSpans": None}) == ([], [])


def test_times_in_every_form():
    """As text, as number, as a number with a point that is whole."""
    for written in ("1544712660000000000", 1544712660000000000, 1.544712660e18):
        assert only(request(span(startTimeUnixNano=written))).start_ns == 1544712660000000000
    assert only(request(span(endTimeUnixNano=None))).end_ns == 0
    assert only(request(span(startTimeUnixNano=0, endTimeUnixNano="0"))).start_ns == 0
    assert only(request(span(startTimeUnixNano=None, endTimeUnixNano=None))).start_ns == 0
    backwards = only(request(span(startTimeUnixNano="9", endTimeUnixNano="7")))
    assert (backwards.start_ns, backwards.end_ns) == (9, 7)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"traceId": ""}, "traceId"),
        ({"traceId": "0" * 32}, "traceId"),
        ({"traceId": TRACE[1:]}, "32 hex digits"),
        ({"traceId": "x" * 32}, "traceId"),
        ({"traceId": "Wy7/95gDgQPSabYzgT/GD*=="}, "32 hex digits"),
        ({"spanId": None}, "spanId"),
        ({"spanId": "0" * 16}, "spanId"),
        ({"spanId": SPAN + "\n"}, "spanId"),
        ({"parentSpanId": "7"}, "parentSpanId"),
        ({"startTimeUnixNano": None}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "0"}, "no startTimeUnixNano"),
        ({"startTimeUnixNano": "-1"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "yesterday"}, "yesterday"),
        ({"startTimeUnixNano": 1.5}, "1.5"),
        ({"startTimeUnixNano": "18446744073709551616"}, "startTimeUnixNano"),
        ({"endTimeUnixNano": -7}, "endTimeUnixNano"),
        ({"name": 7}, "name"),
        ({"flags": -1}, "flags"),
        ({"attributes": {"a": 1}}, "attributes"),
        ({"attributes": [{"key": 1, "value": {"intValue": "1"}}]}, "key"),
        ({"attributes": [None]}, "attributes"),
        ({"attributes": [{"key": "a", "value": {"intValue": "1.5"}}]}, "1.5"),
        ({"attributes": [{"key": "a", "value": {"intValue": 1.5}}]}, "1.5"),
        ({"attributes": [{"key": "a", "value": {"intValue": "9" * 5000}}]}, "span 2"),
        ({"attributes": [{"key": "a", "value": {"doubleValue": "much"}}]}, "much"),
        ({"attributes": [{"key": "a", "value": {"boolValue": "yes"}}]}, "boolValue"),
        ({"events": [{"timeUnixNano": "soon"}]}, "soon"),
        ({"status": 2}, "status"),
    ],
)
def test_a_bad_span_costs_itself(fields, told):
    """It is told what is wrong with which span; its neighbours are read."""
    spans, said = decoded(request(span(spanId="1" * 16), span(**fields), span(spanId="2" * 16)))
    assert [s.span_id[0] for s in spans] == ["1", "2"]
    (text,) = said
    assert "span 2 was left out" in text
    assert told in text


def test_a_bad_resource_or_scope_costs_itself():
    """The spans below are read, without what it would have said."""
    bad = {
        "resourceSpans": [
            {"resource": {"attributes": [7]}, "scopeSpans": [{"scope": {"name": 8}, "spans": [span()]}, 9]},
            10,
            {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
             "scopeSpans": [{"spans": [span(), span(name=1)]}]},
        ]
    }  # fmt: skip
    spans, told = decoded(bad)
    assert [(s.service_name, s.scope_name) for s in spans] == [("", ""), ("s", "")]
    assert len(told) == 5


def test_former_words():
    """Scopes were instrumentation libraries once; what is told twice, in both words, is read once."""
    library = {"instrumentationLibrary": {"name": "io", "version": "1"}, "spans": [span()]}
    for bad in ([], [span(name=1)]):  # by the quick way, and by the one for what does not fit the schema
        former = {**library, "spans": [*library["spans"], *bad]}
        spans, told = decoded({"resourceSpans": [{"instrumentationLibrarySpans": [former]}]})
        assert [(s.scope_name, s.scope_version) for s in spans] == [("io", "1")]
        assert len(told) == len(bad)
    both = {"scopeSpans": [{"scope": {"name": "new"}, "spans": [span()]}], "instrumentationLibrarySpans": [library]}
    assert [s.scope_name for s in decoded({"resourceSpans": [both]})[0]] == ["new"]
    empty = {"scopeSpans": [], "instrumentationLibrarySpans": [library]}
    assert [s.scope_name for s in decoded({"resourceSpans": [empty]})[0]] == ["io"]


def test_a_value_of_a_resource_that_is_none_costs_no_span():
    """All other resources, and the spans of this one, are read."""
    bad = {"attributes": [{"key": "n", "value": {"intValue": "many"}}]}
    for broken in ([], [7]):  # by the quick way, and by the one for what does not fit the schema
        spans, told = decoded(
            {
                "resourceSpans": [
                    {"resource": bad, "scopeSpans": [{"spans": [span(), *broken]}]},
                    {"scopeSpans": [{"spans": [span()]}]},
                ]
            }
        )
        assert len(spans) == 2
        assert len(told) == 1 + len(broken)
        assert told[0].startswith("a resource has a bad attribute")


@pytest.mark.parametrize("name", ["résumé", 7, True, None])
def test_the_name_of_the_service_is_text(name):
    """Whatever type it was given."""
    kinds = {str: "stringValue", int: "intValue", bool: "boolValue", type(None): "stringValue"}
    attribute = {"key": "service.name", "value": {kinds[type(name)]: name}}
    found = only(request(span(), resource={"attributes": [attribute]}))
    assert found.service_name == {"résumé": "résumé", 7: "7"}.get(name, "")


def test_requests_of_other_signals_have_no_spans():
    """Metrics, logs and profiles in the same file are nobody's fault, nor is an empty request."""
    for data in (
        {"resourceMetrics": [{"scopeMetrics": []}]},
        {"resourceLogs": []},
        {"resourceProfiles": [1], "dictionary": {}},
        {},
        {"resourceSpans": []},
    ):
        assert decoded(data) == ([], [])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"[]", "not an OTLP request"),
        (b'"text"', "not an OTLP request"),
        (b"null", "not an OTLP request"),
        (b"17", "not an OTLP request"),
        (b'{"resource_spans":[]}', "it has no resourceSpans, but resource_spans"),
        (b'{"resourceSpans":{}}', "resourceSpans"),
        (b'{"resourceSpans":"x"}', "resourceSpans"),
        (b'{"\xffesourceSpans":[]}', "not an OTLP request"),
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b"{'resourceSpans':[]}", "not JSON"),
        (b"\x00\x01\x02", "not JSON"),
        (b'{"resourceSpans":[]} trailing', "trailing"),
        (b'{"resourceSpans":[]}{"resourceSpans":[]}', "trailing"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":7}]}]}]} trailing', "trailing"),
        (b'{"x":' + b"[" * 5000 + b"]" * 5000 + b',"y":"' + b"y" * 50_000 + b'"}', "recursion|but x, y"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "recursion|but x"),
        (b'{"resourceSpans":' + b"[" * 900, "not JSON"),
        (b'{"resourceSpans":' + b"[" * 100_000, "recursion|not JSON"),
    ],
)
def test_what_is_no_request(data, told):
    """One sentence says why."""
    with pytest.raises(InputError, match=told):
        decoded(data)


def test_a_request_that_is_cut_off_is_told_apart():
    """The last line of a writer that was stopped is normal; where it ends does not matter."""
    assert decoded(COLLECTOR_LINE)[1] == []
    for end in range(1, len(COLLECTOR_LINE)):
        with pytest.raises(TruncatedError):
            decoded(COLLECTOR_LINE[:end])


def test_deep_values_cost_their_span_at_most():
    """However deep arrays stand in arrays."""
    for depth in (10, 200, 400, 900, 5000):
        deep = b'{"arrayValue":{"values":[' * depth + b"{}" + b"]}}" * depth
        data = json.dumps(request(span(), span(attributes=[{"key": "k", "value": "DEEP"}]))).encode()
        try:
            spans, told = decoded(data.replace(b'"DEEP"', deep))
        except InputError:
            assert depth > 200
        else:
            assert len(spans) + len(told) == 2


def test_text_that_is_no_text_is_replaced():
    """Half a surrogate pair, which JavaScript cuts texts into, and bytes that are not UTF-8."""
    for written in (rb"a\ud83d", rb"\ude00b", b"a\xff", b"\xc3"):
        data = json.dumps(request(span(name="NAME"), span(spanId="1" * 16))).encode().replace(b"NAME", written)
        spans, told = decoded(data)
        assert told == []
        assert len(spans) == 2
        assert len(spans[0].name) <= 2
        assert spans[0].name.encode()
    assert only(json.dumps(request(span(name="😀"))).encode()).name == "😀"


def test_a_wrong_span_beside_text_that_is_none_costs_only_itself():
    """Though each span is read on its own then."""
    data = json.dumps(request(span(name="NAME"), span(name=7), span(spanId="1" * 16))).encode()
    spans, told = decoded(data.replace(b"NAME", b"a\xff"))
    assert ([one.name[:1] for one in spans], len(told)) == (["a", ""], 1)


def test_keys_are_kept_up_to_a_bound():
    """Equal keys are one object; a stream of ever new keys is no leak."""
    decoder = JsonDecoder()
    attributes = [{"key": f"k{number}", "value": {"intValue": "1"}} for number in range(MAX_KEYS + 10)]
    data = json.dumps(request(span(attributes=attributes))).encode()
    (first,), (second,) = (list(decoder.decode(data, print)) for _ in range(2))
    assert next(iter(first.attributes)) is next(iter(second.attributes))
    assert len(decoder._keys) == MAX_KEYS
    assert first.attributes == second.attributes


def test_an_attribute_without_a_key_costs_nothing():
    """JSON of protobuf leaves out what is empty: its key is the empty text."""
    attributes = [{"value": {"stringValue": "x"}}, {"key": "a", "value": {"intValue": "1"}}]
    assert only(request(span(attributes=attributes))).attributes == {"": "x", "a": 1}


def test_of_two_attributes_with_one_key_the_last_counts():
    """As the specification leaves it open, and the SDKs have it."""
    pair = [{"key": "k", "value": {"intValue": n}} for n in "12"]
    assert only(request(span(attributes=pair))).attributes == {"k": 2}


# --- anything at all -------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([TRACE, SPAN]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["resourceSpans", "scopeSpans", "spans", "resource", "scope", "attributes", "key", "value", "stringValue",
         "intValue", "doubleValue", "arrayValue", "kvlistValue", "values", "traceId", "spanId", "name", "events",
         "startTimeUnixNano", "status", "code", "flags"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_raise_anything_else(data):
    """Nothing but our error leaves the decoder."""
    with suppress(InputError):
        decoded(data)


@given(anything)
def test_no_json_raises_anything_else(document):
    """Whatever stands where something else belongs."""
    try:
        spans, told = decoded(json.dumps(document).encode())
    except InputError:
        return
    assert all(s.trace_id and s.span_id for s in spans)
    assert all(told)


@given(st.data(), anything)
def test_one_wrong_place_costs_little(data, wrong):
    """Anything in the place of a part of a good request costs that part, its span at most, or is no request at all."""
    document = json.loads(COLLECTOR_LINE)
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].append(span(spanId="1" * 16))
    *path, last = data.draw(st.sampled_from(_places(document)))
    where = document
    for step in path:
        where = where[step]
    where[last] = wrong
    try:
        spans, told = decoded(json.dumps(document).encode())
    except InputError:
        assert path == []
        return
    inside_a_span = "spans" in path
    assert not inside_a_span or (len(spans) + len(told) >= 2 and spans)


def _places(document, path=()):
    """The paths of all parts."""
    steps = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [found for step, inner in steps for found in [(*path, step), *_places(inner, (*path, step))]]


@given(st.integers(0, len(COLLECTOR_LINE) - 1), st.integers(0, 255))
def test_one_wrong_byte(place, byte):
    """It is no JSON then, or costs a part, or nothing."""
    data = COLLECTOR_LINE[:place] + bytes([byte]) + COLLECTOR_LINE[place + 1 :]
    with suppress(InputError):
        decoded(data)
