"""One error tree; the class names the culprit.

    AgentNetOtelError
    ├── InputError            something that was read is wrong: a file, a line, a span
    │   └── TruncatedError    its end is missing: its writer was stopped, or still writes
    ├── BackendError          a server or device that we talk to failed
    ├── ConfigurationError    a setting, argument or environment variable is wrong
    │   └── MissingExtraError an optional package is not installed; the text has the pip line
    └── MisuseError           the manual API was used wrongly; raised in strict mode only

Every text says what is wrong, where, and what to do.
"""


class AgentNetOtelError(Exception):
    """Root of everything that agentnet-otel raises on purpose."""


class InputError(AgentNetOtelError):
    """Something that was read is wrong."""


class TruncatedError(InputError):
    """The end of something that was read is missing."""


class BackendError(AgentNetOtelError):
    """A server or device that was talked to failed."""


class ConfigurationError(AgentNetOtelError):
    """A setting, argument or environment variable is wrong."""


class MissingExtraError(ConfigurationError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """``package`` is what could not be imported, ``extra`` the name in ``agentnet-otel[...]`` that brings it."""
        super().__init__(
            f"{package} is not installed. It comes with an extra: pip install 'agentnet-otel[{extra}]'",
        )
        self.package = package
        self.extra = extra


class MisuseError(AgentNetOtelError):
    """The manual API was used wrongly (raised in strict mode; else it is one warning a call site)."""


def reason_of(error: OSError) -> str:
    """Why the operating system refused to write somewhere, in words that fit."""
    return "a part of the path is a file" if isinstance(error, FileExistsError) else str(error.strerror or error)
