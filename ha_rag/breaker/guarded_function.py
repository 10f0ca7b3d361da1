"""What a breaker can guard: a function whose call does the work, or a coroutine that does.

A generator function or an un-awaited coroutine returns before any work is done, so every call would count as a
success. The checks here raise MisuseError instead; no outcome is counted.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from contextlib import AsyncContextDecorator, ContextDecorator
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from ha_rag.errors import MisuseError


def is_async(fn: Callable[..., Any]) -> bool:
    """Whether a call of `fn` returns a coroutine. Raises MisuseError if `fn` cannot be guarded."""
    check_callable(fn)
    if _is_generator_function(fn):
        raise MisuseError(f"{name_of(fn)} is a generator function: guard the loop that reads it instead")
    return iscoroutinefunction(fn) or iscoroutinefunction(_call_method(fn))


def check_callable(fn: object) -> None:
    """Raises MisuseError unless `fn` can be called."""
    if callable(fn):
        return
    if isinstance(fn, CoroutineType):
        fn.close()  # Python would warn that it was never awaited
        raise MisuseError("a coroutine cannot be guarded: pass the function and its arguments, `call(fetch, url)`")
    raise MisuseError(f"{fn!r:.100} cannot be guarded: it is not a function")


def check_done(fn: Callable[..., Any], result: object) -> None:
    """Raises MisuseError if `result` shows that the call of `fn` has not done its work."""
    if isinstance(result, CoroutineType):
        result.close()
        raise MisuseError(f"{name_of(fn)} returned a coroutine that nothing awaited: await it inside the function")
    if isinstance(result, GeneratorType | AsyncGeneratorType):
        if _is_generator_function(fn) or _only_makes_a_generator(fn, result):
            raise MisuseError(f"{name_of(fn)} returned a generator: guard the loop that reads it instead")
    elif isinstance(result, ContextDecorator | AsyncContextDecorator) and hasattr(result, "gen"):
        raise MisuseError(f"{name_of(fn)} returned a context manager: guard the block that enters it instead")


def check_done_sync(fn: Callable[..., Any], result: object) -> None:
    """`check_done` for synchronous code, which cannot await: anything that an event loop must run is refused too."""
    if isinstance(result, Coroutine) or asyncio.isfuture(result):
        if isinstance(result, Coroutine):
            result.close()
        raise MisuseError(f"{name_of(fn)} is asynchronous, and call_sync cannot await it: use `await breaker.call()`")
    check_done(fn, result)


def name_of(fn: object) -> str:
    """A function's name for an error message."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return str(getattr(fn, "__qualname__", None) or type(fn).__qualname__)


def _is_generator_function(fn: Callable[..., Any]) -> bool:
    return any(isgeneratorfunction(each) or isasyncgenfunction(each) for each in (fn, _call_method(fn)))


def _call_method(fn: object) -> Any:
    """The `__call__` of an object with one; a class's own would be its instances'."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return None if isinstance(fn, type) else type(fn).__call__


def _only_makes_a_generator(fn: Callable[..., Any], result: object) -> bool:
    """Whether `fn` is a lambda or a decorator's function around a generator function.

    Others may have called the service before they return a generator that reads what it sent; so may a lambda with a
    generator expression, whose source is evaluated at once.
    """
    code = getattr(result, "gi_code", None) or getattr(result, "ag_code", None)
    if inspect.iscode(code) and code is getattr(inspect.unwrap(fn), "__code__", None):
        return True
    return name_of(fn).endswith("<lambda>") and inspect.iscode(code) and code.co_name != "<genexpr>"
