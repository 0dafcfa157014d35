"""Ours in the place of ``agentnet.performance``: documented imports then work as they are written.

What is put in place are our own modules, under the original's names, whether AgentNet was imported before, is imported
later, or is not installed at all (then ``agentnet.performance`` is there, and nothing else of AgentNet). Modules of
AgentNet that took names from the original at their import get ours, too. `uninstall` undoes all of it.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

import wrapt

FRAMEWORK: Final = "agentnet"
ORIGINAL: Final = f"{FRAMEWORK}.performance"
OURS: Final = __name__.rpartition(".")[0]
SUBMODULES: Final = ("harness", "latency", "reports", "tokens")

_MISSING: Final = object()


class _Installation:
    """What is in place in this process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.active = False
        self.watching = False
        self.former: dict[str, ModuleType | None] = {}
        """What stood in ``sys.modules`` under the names of the original."""
        self.stub: ModuleType | None = None
        """A framework without anything in it, where none is installed."""


_state: Final = _Installation()


def install() -> None:
    """Put ours in place. A second call changes nothing."""
    with _state.lock:
        if _state.active:
            return
        ours = _our_modules()
        _state.former = {name: sys.modules.get(name) for name in ours}
        exchanged = _counterparts(_state.former, ours)
        _state.active = True
        _put_stub()
        sys.modules.update(ours)
        _rebind(exchanged)
        _set_attribute(ours[ORIGINAL])
        if not _state.watching:
            _state.watching = True
            wrapt.register_post_import_hook(_framework_loaded, FRAMEWORK)


def uninstall() -> None:
    """Put the original back, also where AgentNet was only imported in between. A second call changes nothing."""
    with _state.lock:
        if not _state.active:
            return
        _state.active = False
        ours = {name: sys.modules.pop(name) for name in list(_state.former) if name in sys.modules}
        sys.modules.update({name: module for name, module in _state.former.items() if module is not None})
        original = _original()
        if original is None:
            _drop_attribute()
        else:
            _rebind(_counterparts(ours, _modules_of_original()))
            _set_attribute(original)
        _drop_stub()
        _state.former = {}


def _our_modules() -> dict[str, ModuleType]:
    """Our modules, by the names of the original."""
    modules = {ORIGINAL: importlib.import_module(OURS)}
    for name in SUBMODULES:
        modules[f"{ORIGINAL}.{name}"] = importlib.import_module(f"{OURS}.{name}")
    return modules


def _modules_of_original() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name == ORIGINAL or name.startswith(f"{ORIGINAL}.")}


def _original() -> ModuleType | None:
    """The original, imported where AgentNet is here and only knew ours; None where it is not to be had."""
    if ORIGINAL in sys.modules:
        return sys.modules[ORIGINAL]
    if FRAMEWORK not in sys.modules or _state.stub is not None:
        return None
    try:
        original = importlib.import_module(ORIGINAL)
    except Exception:  # noqa: BLE001 - whatever keeps the original from being imported, ours stays where it was taken
        return None
    for name in SUBMODULES:
        with suppress(ImportError):  # this version has no such module
            importlib.import_module(f"{ORIGINAL}.{name}")
    return original


def _counterparts(
    old: Mapping[str, ModuleType | None], new: Mapping[str, ModuleType]
) -> dict[int, tuple[object, object]]:
    """For each thing of the old modules, by its identity, what has the same name in the new ones."""
    found: dict[int, tuple[object, object]] = {}
    for name, module in old.items():
        counterpart = new.get(name)
        if module is None or counterpart is None:
            continue
        found[id(module)] = (module, counterpart)
        for key, value in list(vars(module).items()):
            replacement = _public(counterpart, key)
            if _is_exported(value) and replacement is not _MISSING:
                found[id(value)] = (value, replacement)
    return found


def _is_exported(value: object) -> bool:
    """Whether it is a class or a function: constants and foreign things are nobody's in particular."""
    return isinstance(value, type) or callable(value)


def _public(module: ModuleType, name: str) -> object:
    if name.startswith("_"):
        return _MISSING
    return getattr(module, name, _MISSING)


def _rebind(exchanged: Mapping[int, tuple[object, object]]) -> None:
    """Exchange what the modules of AgentNet hold."""
    for module in _framework_modules():
        for name, value in list(vars(module).items()):
            pair = exchanged.get(id(value))
            if pair is not None and pair[0] is value:
                setattr(module, name, pair[1])


def _framework_modules() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        inside = name == FRAMEWORK or name.startswith(f"{FRAMEWORK}.")
        if inside and isinstance(module, ModuleType) and not name.startswith(ORIGINAL):
            yield module


def _framework_loaded(module: Any) -> None:
    """AgentNet was imported after `install`: the import system sets no attribute for what was there before."""
    with _state.lock:
        if _state.active and ORIGINAL in sys.modules:
            module.performance = sys.modules[ORIGINAL]


def _set_attribute(performance: ModuleType) -> None:
    framework = sys.modules.get(FRAMEWORK)
    if framework is not None:
        setattr(framework, "performance", performance)  # noqa: B010 - modules have no such attribute for mypy


def _drop_attribute() -> None:
    framework = sys.modules.get(FRAMEWORK)
    if framework is not None and hasattr(framework, "performance"):
        delattr(framework, "performance")


def _put_stub() -> None:
    """Without AgentNet its name has to stand for something, or nothing below it can be imported."""
    if FRAMEWORK in sys.modules or importlib.util.find_spec(FRAMEWORK) is not None:
        return
    _state.stub = _Stub(FRAMEWORK, "Only agentnet.performance is here, by agentnet_otel.")
    sys.modules[FRAMEWORK] = _state.stub


class _Stub(ModuleType):
    """Stands for AgentNet until it can be imported: a program may add it to its path only later."""

    def __getattr__(self, name: str) -> object:
        """What is not here is asked of AgentNet, as soon as there is one."""
        if name == "__path__" or not name.startswith("__"):
            found = _framework_behind(self)
            if found is not None:
                return getattr(found, name)
        if name == "__path__":
            return []
        message = f"module {FRAMEWORK!r} has no attribute {name!r}: AgentNet is not installed"
        raise AttributeError(message)


def _framework_behind(stub: ModuleType) -> ModuleType | None:
    """AgentNet itself, which takes the place of its stub; None where it is not to be had."""
    with _state.lock:
        if _state.stub is not stub:
            return sys.modules.get(FRAMEWORK) if sys.modules.get(FRAMEWORK) is not stub else None
        if importlib.machinery.PathFinder.find_spec(FRAMEWORK) is None:
            return None
        del sys.modules[FRAMEWORK]
        _state.stub = None
        try:
            framework = importlib.import_module(FRAMEWORK)
        except BaseException:
            _state.stub = sys.modules[FRAMEWORK] = stub
            raise
        _framework_loaded(framework)
        return framework


def _drop_stub() -> None:
    if _state.stub is not None and sys.modules.get(FRAMEWORK) is _state.stub:
        del sys.modules[FRAMEWORK]
    _state.stub = None
