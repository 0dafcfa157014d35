"""Wrapping attributes of classes, and putting the originals back.

Modules are patched when they are imported, or at once where they are loaded already. An attribute is only wrapped
where its class defines it, so that nothing inherited is copied.
"""

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import wrapt

from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.wrapping import Wrapper, binds, wrap, wrapped_in

_SUBCLASS_HOOK: Final = "__init_subclass__"
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


class Patches:
    """The wraps of this process. ``active`` False makes those inert that could not be taken back.

    Wrapped classes are held weakly: an application may make classes as it runs.
    """

    def __init__(self, targets: tuple[Target, ...]) -> None:
        self._targets = targets
        self._wrapped: weakref.WeakKeyDictionary[type, set[str]] = weakref.WeakKeyDictionary()
        self._bases: list[_Base] = []
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
            for owner, names in list(self._wrapped.items()):
                for name in names:
                    ours = _bound_in(owner.__dict__.get(name))
                    if ours is not None and ours.patches is self:
                        setattr(owner, name, ours.original)
            self._wrapped.clear()
            for base in reversed(self._bases):
                base.leave()
            self._bases.clear()

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
        original = owner.__dict__.get(name)
        if not callable(original) or getattr(original, "__isabstractmethod__", False):
            return False
        with self._lock:
            known = _bound_in(original)
            if known is None or not known.patches.active:
                setattr(owner, name, wrap(original, _Bound(self, wrapper, original)))
                self._wrapped.setdefault(owner, set()).add(name)
        return True

    def _watch_subclasses(self, base: type) -> None:
        """Wrap in classes that are defined later, too."""
        if all(watched.cls is not base for watched in self._bases):
            self._bases.append(_Base(base, self._subclass_defined))

    def _subclass_defined(self, cls: type) -> None:
        if not self.active:
            return
        with self._lock:
            for target in self._targets:
                base = getattr(sys.modules.get(target.module), target.owner, None)
                if target.subclasses and isinstance(base, type) and issubclass(cls, base):
                    self.wrap(cls, target.name, target.wrapper)


@dataclass(frozen=True, slots=True)
class _Bound:
    """A wrapper that knows what it stands for, and does nothing when its patches are not active.

    Methods come here unbound, with the instance as their first argument.
    """

    patches: Patches
    wrapper: Wrapper
    original: Any

    def __call__(self, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        if not self.patches.active:
            return wrapped(*args, **kwargs)
        if not args or isinstance(self.original, staticmethod) or not binds(wrapped):
            return self.wrapper(wrapped, instance, args, kwargs)
        bound = wrapped.__get__(args[0], type(args[0]))
        return self.wrapper(bound, args[0], args[1:], kwargs)


def _bound_in(found: object) -> _Bound | None:
    """The wrapper of ours in what stands in a class, if there is one."""
    function = wrapped_in(found)
    wrapper = None if function is None else function._self_wrapper  # noqa: SLF001 - named so by wrapt
    return wrapper if isinstance(wrapper, _Bound) else None


class _Base:
    """A class that tells, while it is watched, which subclasses of it are defined."""

    def __init__(self, cls: Any, tell: Callable[[type], None]) -> None:
        self.cls = cls
        self._original = original = cls.__dict__.get(_SUBCLASS_HOOK, _MISSING)

        def __init_subclass__(sub: Any, /, **kwargs: Any) -> None:  # noqa: N807 - it is that one
            if original is _MISSING:
                super(cls, sub).__init_subclass__(**kwargs)
            else:
                original.__get__(None, sub)(**kwargs)
            faults.guarded(tell)(sub)

        self._hook = classmethod(__init_subclass__)
        setattr(cls, _SUBCLASS_HOOK, self._hook)

    def leave(self) -> None:
        """Put the original back, if nobody else has put something in its place."""
        if self.cls.__dict__.get(_SUBCLASS_HOOK) is not self._hook:
            return
        if self._original is _MISSING:
            delattr(self.cls, _SUBCLASS_HOOK)
        else:
            setattr(self.cls, _SUBCLASS_HOOK, self._original)


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
