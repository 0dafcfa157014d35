"""Clean-room stand-in for tests, written from observed behaviour; this is NOT AgentNet.

It keeps the module paths, names, return shapes and faults that the tests rely
on, and nothing else. Importing it loads nearly all of its modules.
"""

from . import dialogue
from .core.agent import AgentNet
from .core.orchestration import dag_planner, scheduler, turn_engine
from .monitors import factory
from .providers.example import ExampleEngine

__version__ = "0.5.0"
__all__ = ["AgentNet", "ExampleEngine"]
