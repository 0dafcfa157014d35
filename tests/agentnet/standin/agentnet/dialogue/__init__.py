"""Dialogues of the stand-in."""

from .enhanced_modes import OuterDialogue

__all__ = ["OuterDialogue"]
