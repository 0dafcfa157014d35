"""Wrapping attributes of classes, and putting the originals back.

Modules are patched when they are imported, or at once where they are loaded already. An attribute is only wrapped
where its class defines it, so that nothing inherited is copied.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import wrapt

from agentnet_otel.instrumentation import faults

Wrapper = Callable[..., Any]
"""Called by wrapt as ``wrapper(wrapped, instance, args, kwargs)``."""

_MISSING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One place to wrap. With ``subclasses``, also where subclasses of the class define the name, now or later."""

    module: str
    owner: str
    name: str
    wrapper: Wrapper
    subclasses: bool = False

    @property
    def path(self) -> str:
        """Dotted name."""
        return f"{self.module}.{self.owner}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatus:
    """What became of a target: ``hooked``, ``skipped`` (not in this version), ``waiting`` (not imported yet)."""

    path: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patch:
    owner: type
    name: str
    original: object
    wrapper: object


class Patches:
    """The wraps of this process. ``active`` False makes those inert that could not be taken back."""

    def __init__(self, targets: tuple[Target, ...]) -> None:
        self._targets = targets
        self._patches: list[_Patch] = []
        self._states: dict[str, str] = {}
        self._watched: set[str] = set()
        self._lock = threading.RLock()
        self.active = False

    def install(self) -> None:
        """Wrap what is loaded, and the rest when it gets loaded."""
        with self._lock:
            self.active = True
            self._states = {target.path: "waiting" for target in self._targets}
            for module in dict.fromkeys(target.module for target in self._targets):
                if module not in self._watched:
                    self._watched.add(module)
                    wrapt.register_post_import_hook(self._module_loaded, module)
                elif module in sys.modules:
                    self._patch_module(module)

    def uninstall(self) -> None:
        """Put every original back. A wrapper that others wrapped in turn stays, and does nothing."""
        with self._lock:
            self.active = False
            for patch in reversed(self._patches):
                if patch.owner.__dict__.get(patch.name) is not patch.wrapper:
                    continue
                if patch.original is _MISSING:
                    delattr(patch.owner, patch.name)
                else:
                    setattr(patch.owner, patch.name, patch.original)
            self._patches.clear()

    def status(self) -> list[TargetStatus]:
        """What became of each target."""
        with self._lock:
            return [TargetStatus(path=path, state=state) for path, state in self._states.items()]

    def _module_loaded(self, module: Any) -> None:
        with self._lock:
            if self.active:
                self._patch_module(module.__name__)

    def _patch_module(self, module: str) -> None:
        loaded = sys.modules.get(module)
        for target in self._targets:
            if target.module == module:
                self._states[target.path] = faults.guarded(self._patch_target)(loaded, target) or "skipped"

    def _patch_target(self, module: Any, target: Target) -> str:
        owner = getattr(module, target.owner, None)
        if not isinstance(owner, type):
            return "skipped"
        if not target.subclasses:
            return "hooked" if self.wrap(owner, target.name, target.wrapper) else "skipped"
        for cls in _family(owner):
            self.wrap(cls, target.name, target.wrapper)
        self._watch_subclasses(owner)
        return "hooked" if hasattr(owner, target.name) else "skipped"

    def wrap(self, owner: type, name: str, wrapper: Wrapper) -> bool:
        """Wrap what ``owner`` itself defines under ``name``, once; False where it defines nothing to wrap."""
        original = owner.__dict__.get(name, _MISSING)
        if original is _MISSING or getattr(original, "__isabstractmethod__", False):
            return False
        with self._lock:
            if any(p.wrapper is original for p in self._patches):
                return True
            wrapped = wrapt.FunctionWrapper(original, self._when_active(wrapper))
            setattr(owner, name, wrapped)
            self._patches.append(_Patch(owner=owner, name=name, original=original, wrapper=wrapped))
        return True

    def _when_active(self, wrapper: Wrapper) -> Wrapper:
        def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            return wrapper(wrapped, instance, args, kwargs) if self.active else wrapped(*args, **kwargs)

        return call

    def _watch_subclasses(self, base: Any) -> None:
        """Wrap in classes that are defined later, too."""
        if any(p.owner is base and p.name == "__init_subclass__" for p in self._patches):
            return
        original: Any = base.__dict__.get("__init_subclass__", _MISSING)

        def __init_subclass__(cls: Any, /, **kwargs: Any) -> None:  # noqa: N807 - it is that one
            if original is _MISSING:
                super(base, cls).__init_subclass__(**kwargs)
            else:
                original.__get__(None, cls)(**kwargs)
            if self.active:
                faults.guarded(self._subclass_defined)(cls)

        hook: Any = classmethod(__init_subclass__)
        setattr(base, "__init_subclass__", hook)  # noqa: B010 - mypy knows no assignment of methods
        self._patches.append(_Patch(owner=base, name="__init_subclass__", original=original, wrapper=hook))

    def _subclass_defined(self, cls: type) -> None:
        with self._lock:
            for target in self._targets:
                base = getattr(sys.modules.get(target.module), target.owner, None)
                if target.subclasses and isinstance(base, type) and issubclass(cls, base):
                    self.wrap(cls, target.name, target.wrapper)


late_patches: Final = Patches(())
"""Wraps that are only made when a call shows what there is."""


def _family(base: type) -> Iterator[type]:
    """A class and all its subclasses, each once."""
    seen: set[type] = set()
    waiting = [base]
    while waiting:
        cls = waiting.pop()
        if cls not in seen:
            seen.add(cls)
            yield cls
            waiting.extend(cls.__subclasses__())
