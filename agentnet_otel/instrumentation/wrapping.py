"""Functions of others that run inside a wrapper of ours, and are still functions to everyone who looks."""

import functools
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import wrapt

if TYPE_CHECKING:
    _FunctionWrapper = wrapt.FunctionWrapper[Any, Any]
else:
    _FunctionWrapper = wrapt.FunctionWrapper  # generic only from version 2 on

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""Called as ``wrapper(wrapped, instance, args, kwargs)``; a function that is not bound has the instance None."""


class WrappedFunction(_FunctionWrapper):
    """A function inside a wrapper. It has the code, signature, flags and documentation of what it wraps.

    Beyond what wrapt does, it is bound, pickled and copied as a function is: a bound one is a plain method, so process
    pools, deep copies and weak methods of an application go on to work.
    """

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return types.MethodType(self, instance) if instance is not None and binds(self.__wrapped__) else self

    def __copy__(self) -> "WrappedFunction":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "WrappedFunction":
        del memo
        return self

    def __reduce__(self) -> Any:
        return self.__reduce_ex__(2)

    def __reduce_ex__(self, protocol: Any) -> Any:
        name = getattr(self.__wrapped__, "__qualname__", None)
        return self.__wrapped__.__reduce_ex__(protocol) if name is None else name


def binds(function: object) -> bool:
    """Whether ``function``, standing in a class, is bound to the instance that it is taken from."""
    if isinstance(function, functools.partial):
        return sys.version_info >= (3, 14)  # before, its `__get__`, where there is one, only warns
    return hasattr(type(function), "__get__")


def wrap(original: Any, wrapper: Wrapper) -> Any:
    """``original``, a function, static or class method, inside ``wrapper``; the same kind of thing."""
    if isinstance(original, staticmethod | classmethod):
        return type(original)(WrappedFunction(original.__func__, wrapper))
    return WrappedFunction(original, wrapper)


def wrapped_in(found: object) -> WrappedFunction | None:
    """The `WrappedFunction` that an entry of a class holds, if it holds one."""
    function = found.__func__ if isinstance(found, staticmethod | classmethod) else found
    return function if type(function) is WrappedFunction else None
