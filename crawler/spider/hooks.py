"""The spider methods that a crawl calls by name, and their signatures.

Rule: a method with the name of a hook is a hook, so its signature is checked when the
class is created. If a callback is named `prepare` by mistake, an error names the
callback's file and line.
"""

from __future__ import annotations

import inspect
from types import FunctionType

import msgspec

from crawler.errors import ConfigError


class Hook(msgspec.Struct, frozen=True):
    """A method that a crawl calls by its name."""

    #: The signature that the method must have, for messages.
    signature: str
    #: The number of arguments that the method receives, without `self`.
    count: int
    #: True: the method must be a generator (with `yield`). False: the method must not
    #: be a generator. None: both are allowed.
    yields: bool | None = None


HOOKS = {
    "start": Hook("async def start(self)", 0),
    "parse": Hook("async def parse(self, response)", 1),
    "prepare": Hook("async def prepare(self, request)", 1, yields=False),
    "around": Hook("async def around(self, response, results)", 2, yields=True),
    "closing": Hook("async def closing(self, run)", 1),
    "closed": Hook("async def closed(self, report)", 1, yields=False),
    "client": Hook("def client(self, options)", 1, yields=False),
}
#: Hooks whose single argument is not a response. If a method has one of these names and
#: an argument `response`, the author meant it as a callback.
_NO_CALLBACKS = frozenset({"prepare", "closing", "closed", "client"})


def check_hooks(cls: type) -> None:
    """Raise ConfigError if a method of the class has a hook's name and a wrong
    signature."""
    for name, hook in HOOKS.items():
        method = vars(cls).get(name)
        if isinstance(method, FunctionType) and (wrong := _wrong(name, hook, method)):
            code = method.__code__
            raise ConfigError(
                f"the method {cls.__name__}.{name} (in {code.co_filename}:"
                f"{code.co_firstlineno}) {wrong}; write `{hook.signature}`, or rename "
                "the method if it is a callback"
            )


def _wrong(name: str, hook: Hook, method: FunctionType) -> str:
    """Return what is wrong with the signature of a hook method; "" if nothing is
    wrong."""
    signature = inspect.signature(method)
    try:
        signature.bind(*range(hook.count + 1))
    except TypeError:
        arguments = "no argument" if not hook.count else f"{hook.count} argument"
        more = "s" if hook.count > 1 else ""
        return f"is called with {arguments}{more}, which it does not take"
    if name in _NO_CALLBACKS and list(signature.parameters)[1:2] == ["response"]:
        return "is a hook and receives no response"
    is_async = inspect.isasyncgenfunction(method)
    gives = is_async or inspect.isgeneratorfunction(method)
    if hook.yields is False and gives:
        return "is a hook that cannot yield"
    if hook.yields and (inspect.iscoroutinefunction(method) or gives != is_async):
        return "is a hook that must be an async generator: `async def` with `yield`"
    return ""
