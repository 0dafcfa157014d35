"""Shared types: severities and the fault that a monitor raises."""

from enum import Enum


class Severity(str, Enum):
    """How bad a violation is."""

    MINOR = "minor"
    MAJOR = "major"
    SEVERE = "severe"


class CognitiveFault(Exception):
    """Raised by a monitor that objects to an answer."""

    def __init__(self, message, severity=Severity.MINOR, violations=None, context=None):
        super().__init__(message)
        self.message = message
        self.severity = severity
        self.violations = violations or []
        self.context = context or {}

    def to_dict(self):
        """Return the fault as plain data."""
        return {
            "message": self.message,
            "severity": getattr(self.severity, "value", self.severity),
            "violations": self.violations,
            "context": self.context,
        }
