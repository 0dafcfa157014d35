"""The guard between us and the application."""

import inspect
import threading

import pytest

import agentnet_otel
from agentnet_otel.errors import MisuseError
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.faults import MAX_SITES, FaultLog, call_site, guarded
from agentnet_otel.instrumentation.outcomes import ending_of, error_name
from agentnet_otel.model import Outcome


class CognitiveFault(Exception):  # noqa: N818 - the name that AgentNet gave it
    """As AgentNet's."""


def broken(text="x"):
    """Fail."""
    raise LookupError(text)


def test_a_fault_is_contained_logged_once_and_counted(warnings_of_ours, caplog):
    """The application gets None, the log one warning with the traceback a site."""
    safe, other = guarded(broken), guarded(broken, "elsewhere")
    assert [safe(), safe(), other()] == [None, None, None]
    assert len(warnings_of_ours()) == 2
    assert f"LookupError in {__name__}.broken was contained" in warnings_of_ours()[0]
    assert "in elsewhere" in warnings_of_ours()[1]
    assert caplog.records[0].exc_info[0] is LookupError
    assert faults.log.faults == {f"{__name__}.broken": 2, "elsewhere": 1}
    assert safe.__doc__ == "Fail."
    assert guarded(len)("abc") == 3


def test_what_may_quote_content_is_logged_without_its_text(warnings_of_ours, caplog):
    """The kind and the place are told, the message is not."""
    faults.log.contain("redaction", ValueError("secret"), quotes_content=True)
    assert "ValueError in redaction" in warnings_of_ours()[0]
    assert "secret" not in caplog.text


def test_misuse_and_what_ends_a_program_pass():
    """The guard holds back neither a misuse in strict mode nor an exit."""
    for error in (MisuseError("x"), SystemExit(), KeyboardInterrupt(), GeneratorExit()):

        def leave(error=error):
            raise error

        with pytest.raises(type(error)):
            guarded(leave)()
    assert faults.log.faults == {}


def test_sites_are_bounded(warnings_of_ours):
    """Beyond the bound faults are still counted, together, and no longer logged."""
    for number in range(MAX_SITES + 10):
        faults.log.contain(f"site {number}", ValueError())
    faults.log.contain("site 3", ValueError())
    assert sum(faults.log.faults.values()) == MAX_SITES + 11
    assert faults.log.faults["site 3"] == 2
    assert faults.log.faults["other"] == 10
    assert len(faults.log.faults) == MAX_SITES + 1
    assert len(warnings_of_ours()) == MAX_SITES
    faults.log.misuse("one more", strict=False)
    assert len(warnings_of_ours()) == MAX_SITES
    assert faults.log.misuses == 1


def test_misuse_is_told_once_a_place(warnings_of_ours):
    """The same mistake at two lines is two warnings, repeated it is none."""
    for _ in range(3):
        faults.log.misuse("wrong", strict=False)
    faults.log.misuse("wrong", strict=False)
    assert len(warnings_of_ours()) == 2
    assert len(set(warnings_of_ours())) == 2
    assert faults.log.misuses == 4
    with pytest.raises(MisuseError, match=r"test_faults\.py:\d+: wrong"):
        faults.log.misuse("wrong", strict=True)


def test_call_site_names_the_caller(telemetry, handle, warnings_of_ours):
    """It is the line of the application, also through decorators and context managers."""
    assert call_site() == f"{__file__}:{inspect.currentframe().f_lineno}"
    lines = []

    @agentnet_otel.traced_turn("a")
    def work():
        lines.append(inspect.currentframe().f_lineno + 1)
        agentnet_otel.current_turn().record_quality(2)

    work()
    (told,) = warnings_of_ours()
    assert f"{__file__}:{lines[0]}: score=2" in told


def test_call_site_without_a_caller():
    """Where all frames are ours, the outermost is named."""
    found = []
    namespace = {"__name__": "agentnet_otel.fake", "call_site": call_site, "found": found}
    exec("def run():\n    found.append(call_site())", namespace)  # noqa: S102 - a module of ours, as far as names go
    thread = threading.Thread(target=namespace["run"])
    thread.start()
    thread.join()
    assert "threading.py" in found[0]


def test_a_fault_in_a_listener_does_not_reach_the_application(telemetry, handle, warnings_of_ours, monkeypatch):
    """The turn is written, the body's result is there, and the context is left as it was."""
    monkeypatch.setattr(handle.latency, "record_turn", broken)

    @agentnet_otel.traced_turn("a")
    def answer():
        return "fine"

    assert answer() == "fine"
    assert [span.name for span in telemetry.spans()] == ["invoke_agent a"]
    assert agentnet_otel.current_turn() is None
    assert "LookupError" in warnings_of_ours()[0]


def test_a_lock_can_be_renewed():
    """A forked child does not wait for a lock that a thread of the parent holds."""
    log = FaultLog()
    with log._lock:
        log.reset_after_fork()
        log.contain("child", ValueError())
    assert log.faults == {"child": 1}


def test_endings():
    """What was raised becomes an outcome and a name; a message never does."""
    assert ending_of(None) is None
    for error, outcome in (
        (CognitiveFault("secret"), Outcome.FAULT),
        (TimeoutError("secret"), Outcome.TIMEOUT),
        (GeneratorExit(), Outcome.CANCELLED),
        (SystemExit(3), Outcome.CANCELLED),
        (ValueError("secret"), Outcome.ERROR),
    ):
        assert ending_of(error).outcome is outcome
        assert "secret" not in ending_of(error).error_type
    assert error_name(ValueError("secret")) == error_name(ValueError) == "ValueError"
    assert error_name(Outcome.TIMEOUT) == "timeout"
    assert error_name("rate_limited") == "rate_limited"
    assert error_name(429) == "429"
