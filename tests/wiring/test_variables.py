"""The variables of telemetry: shown without secrets, wrong values told with what is allowed."""

import pytest

from agentnet_otel.wiring.variables import HIDDEN, shown_variables, without_secrets, wrong_variables


def wrong(**environment):
    """The sentences on these variables."""
    return list(wrong_variables(environment))


def test_only_telemetry_is_shown():
    """Variables of others are nobody's business, and names are sorted."""
    environment = {"OTEL_SERVICE_NAME": "shop", "PATH": "/bin", "AGENTNET_OTEL_STRICT": "1", "MY_OTEL_X": "x"}
    assert shown_variables(environment) == {"AGENTNET_OTEL_STRICT": "1", "OTEL_SERVICE_NAME": "shop"}
    assert list(shown_variables(environment)) == ["AGENTNET_OTEL_STRICT", "OTEL_SERVICE_NAME"]


@pytest.mark.parametrize(
    "name",
    [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "AGENTNET_API_TOKEN",
        "AGENTNET_DB_PASSWORD",
        "AGENTNET_CLIENT_SECRET",
    ],
)
def test_values_of_secrets_are_hidden(name):
    """By their names; that they are set is told."""
    assert shown_variables({name: "hunter2"}) == {name: HIDDEN}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pass@host:4318/v1", "http://(hidden)@host:4318/v1"),
        ("https://token@host", "https://(hidden)@host"),
        ("http://user:pa/ss@host:1", "http://(hidden)@host:1"),
        ("http://user:p@ss@host:1", "http://(hidden)@host:1"),
        ("http://host/?api-key=abc&team=x#top", "http://host/?api-key=(hidden)&team=(hidden)#top"),
        ("failed for http://u:p@host, retrying", "failed for http://(hidden)@host, retrying"),
        ("http://host:4318/v1/traces", "http://host:4318/v1/traces"),
        ("a@b", "a@b"),
    ],
)
def test_addresses_lose_their_secrets(text, shown):
    """User, password and parameters of an address are hidden wherever it stands; the rest stays."""
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("OTEL_SDK_DISABLED", "yes", "true, false"),
        ("AGENTNET_OTEL_STRICT", "please", "1, true, 0, false"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "yes", "NO_CONTENT, SPAN_ONLY, EVENT_ONLY"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "always_off, always_on"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "a probability from 0 to 1"),
        ("OTEL_TRACES_SAMPLER_ARG", "half", "a probability from 0 to 1"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan", "a probability from 0 to 1"),
        ("OTEL_TRACES_EXPORTER", "otlp,jaeger", "console, none, otlp"),
        ("OTEL_METRICS_EXPORTER", "statsd", "console, none, otlp"),
        ("OTEL_LOGS_EXPORTER", "syslog", "console, none, otlp"),
        ("OTEL_PROPAGATORS", "tracecontext,smoke", "baggage, none, tracecontext"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team", "name=value,name=value"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=x", "name=value,name=value"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "bogus", "grpc, http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "a number of at least 0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "a number of at least 0"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", "none, gzip, deflate"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "mixed", "cumulative, delta, lowmemory"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:99999", "http://host:port"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://host", "http://host:port"),
        ("OTEL_BSP_SCHEDULE_DELAY", "abc", "a whole number of at least 1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "a whole number of at least 1"),
        ("OTEL_BLRP_MAX_QUEUE_SIZE", "-5", "a whole number of at least 1"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1.5", "a whole number of at least 1"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", "a whole number of at least 0"),
    ],
)
def test_a_wrong_value_is_one_sentence(name, value, allowed):
    """It names the variable, the value and what is allowed."""
    (sentence,) = wrong(**{name: value})
    assert sentence.startswith(f"{name}={value!r} is wrong; allowed: {allowed}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_SDK_DISABLED", "TRUE"),
        ("OTEL_SDK_DISABLED", ""),
        ("AGENTNET_OTEL_STRICT", "0"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only"),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_TRACES_EXPORTER", "otlp, console"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_PROPAGATORS", "tracecontext,baggage"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=a,deployment.environment=prod"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20x,x-key=1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:pass@[::1]:4318/base"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "128"),
        ("OTEL_SOMETHING_NEW", "anything"),
    ],
)
def test_right_values_are_not_told(name, value):
    """What the specification allows, and variables that nobody here knows, are fine."""
    assert wrong(**{name: value}) == []


def test_wrong_headers_are_told_without_their_value():
    """The sentence on a secret does not show it."""
    (sentence,) = wrong(OTEL_EXPORTER_OTLP_HEADERS="hunter2")
    assert sentence == f"OTEL_EXPORTER_OTLP_HEADERS={HIDDEN!r} is wrong; allowed: name=value,name=value."


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "10"}, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is 512, more than"),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "9000"}, "which is 2048"),
        ({"OTEL_BLRP_MAX_QUEUE_SIZE": "10", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "20"}, "OTEL_BLRP_MAX_EXPORT"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10"}, None),
    ],
)
def test_a_batch_has_to_fit_its_queue(environment, told):
    """Each value may be fine and the pair still wrong, also with the other's default."""
    sentences = wrong(**environment)
    assert (told is None and sentences == []) or (len(sentences) == 1 and told in sentences[0])


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "9"}, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT is 9"),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "0"}, "OTEL_ATTRIBUTE_COUNT_LIMIT is 0"),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "9", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "64"}, None),
    ],
)
def test_a_limit_that_leaves_turns_unreadable_is_told(environment, told):
    """Below what a turn's span carries the SDK drops what says that it is one; the limit of spans goes first."""
    sentences = wrong(**environment)
    assert (told is None and sentences == []) or (len(sentences) == 1 and sentences[0].startswith(told))
