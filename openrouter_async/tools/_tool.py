"""One tool: a name, a description, a schema, and what is called.

The rule of this file: what a tool is, and how one call of it is made. When it is called, and
what becomes of its result, is not known here.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast, is_typeddict, overload

import msgspec
from msgspec import Struct

from ._signature import Arguments, arguments_of, arguments_of_type, described, innermost

__all__ = ["Tool", "ToolLike", "offered", "tool"]

P = ParamSpec("P")
R = TypeVar("R")

ToolLike: TypeAlias = Callable[..., object] | Mapping[str, Any] | Struct
"""What can stand in ``tools``: a function, a `Tool`, a type whose fields are the arguments, or
the wire form, as a mapping or a struct."""

NeedsApproval: TypeAlias = bool | Callable[[Any], bool]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tool(Generic[P, R]):
    """A tool that a model may call; made by `tool`. It can be called as what it was made of.

    Attributes:
        name: What the model calls it.
        description: When and for what to use it; empty where nothing says so.
        parameters: The JSON schema of the arguments.
        strict: Whether the model is held to the schema; None leaves it to the provider.
        needs_approval: Whether somebody has to agree first.
        timeout: Seconds that a call may take; None is no limit.
        hands_over: Whether there is nothing to run: the arguments are the result.
    """

    __wrapped__: Callable[P, R]

    def __init__(
        self,
        target: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
        needs_approval: NeedsApproval = False,
        timeout: float | None = None,
    ) -> None:
        if isinstance(target, Tool):  # the same with other settings
            target = cast("Tool[P, R]", target).__wrapped__
        if not callable(cast("object", target)):
            raise TypeError(f"a tool must be a function or a type, got {type(target).__name__}")
        self.name = _checked_name(name if name is not None else _name_of(target), target)
        if timeout is not None and not timeout > 0:
            raise ValueError(f"tool {self.name!r}: timeout must be above 0 s, got {timeout!r}")
        self.strict = strict
        self.needs_approval = needs_approval
        self.timeout = timeout
        self.__wrapped__ = target
        self.hands_over = inspect.isclass(target)
        self._arguments = self._read_target(is_strict=bool(strict))
        self.parameters = self._arguments.schema
        self.description = description if description is not None else self._own_description()
        self.__doc__ = target.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__wrapped__(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool: {self.name}>"

    def to_param(self) -> dict[str, Any]:
        """Give the entry of ``tools`` in a request."""
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self.parameters
        if self.strict is not None:
            function["strict"] = self.strict
        return {"type": "function", "function": function}

    def read(self, text: str) -> Any:
        """Read the arguments of a call: a dict by parameter, or the value of a type as a whole.

        Raises:
            ValueError: They do not fit; the message tells where and why.
        """
        return self._arguments.read(text)

    async def run(self, arguments: Mapping[str, Any]) -> object:
        """Call the function: on the loop where it is ``async def``, else in a worker thread.

        A thread cannot be stopped. Cancelling waits until it comes to its end, so that nothing
        goes on unseen; only a `timeout` that passes leaves it behind, to end by itself.

        Raises:
            TimeoutError: It took longer than `timeout`.
        """
        import anyio
        import anyio.to_thread

        function = cast("Callable[[], object]", functools.partial(self.__wrapped__, **arguments))
        if _is_async(self.__wrapped__):
            with anyio.move_on_after(self.timeout):
                return await cast("Awaitable[object]", function())
        else:
            result: object = None
            with anyio.move_on_after(self.timeout, shield=True) as scope:
                result = await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
            if not scope.cancelled_caught:
                return await result if inspect.isawaitable(result) else result
        raise TimeoutError(f"the tool did not come to an end within {self.timeout:g} s")

    def _read_target(self, *, is_strict: bool) -> Arguments:
        target: Any = self.__wrapped__
        if inspect.isclass(target):
            if not _has_fields(target):
                raise TypeError(
                    f"tool {self.name!r}: a type must be a msgspec struct, a dataclass, a "
                    f"TypedDict or a pydantic model"
                )
            return arguments_of_type(target, self.name, is_strict=is_strict)
        inner = innermost(self.__wrapped__)
        if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
            raise TypeError(f"tool {self.name!r} is a generator; a tool returns its result")
        return arguments_of(self.__wrapped__, self.name, is_strict=is_strict)

    def _own_description(self) -> str:
        inner = innermost(self.__wrapped__)
        text = described(inner.__doc__)[0]
        # Dataclasses without a docstring are given their signature as one.
        return "" if text.startswith(f"{getattr(inner, '__name__', '')}(") else text


@overload
def tool(
    target: Callable[P, R],
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool | None = None,
    needs_approval: NeedsApproval = False,
    timeout: float | None = None,
) -> Tool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool | None = None,
    needs_approval: NeedsApproval = False,
    timeout: float | None = None,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(
    target: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool | None = None,
    needs_approval: NeedsApproval = False,
    timeout: float | None = None,
) -> Any:
    """Make a tool of a function or a type; a decorator, with or without arguments.

    Args:
        target: An ``async def`` or ``def`` with type hints; or a struct, dataclass, TypedDict
            or pydantic model, whose fields are the arguments and whose calls are handed to you.
        name: By default the function's own.
        description: By default the docstring up to its first section. The parameters are
            explained by its ``Args:`` section, or by ``Annotated[..., Meta(description=...)]``.
        strict: True asks that the model be held to the schema, where every parameter is then
            one that it has to fill. Some providers cannot, so fewer may be left to answer.
        needs_approval: True, or a function of the arguments that says whether somebody has to
            agree to this call. It is given the dict by parameter, or the value of a type.
        timeout: Seconds that a call may take.

    Raises:
        TypeError: A parameter has no type hint, or one that JSON cannot say.
        ValueError: The name is not one that the API takes.

    >>> @tool(timeout=5.0)
    ... def add(a: int, b: int = 1) -> int:
    ...     '''Add two numbers.'''
    ...     return a + b
    >>> add(2, b=3), add.name, add.parameters["required"]
    (5, 'add', ['a'])
    """

    def made(target: Callable[..., Any]) -> Tool[..., Any]:
        return Tool(
            target,
            name=name,
            description=description,
            strict=strict,
            needs_approval=needs_approval,
            timeout=timeout,
        )

    return made if target is None else made(target)


def offered(
    tools: Sequence[ToolLike],
) -> tuple[dict[str, Tool[..., Any] | None], list[Mapping[str, Any]]]:
    """Give the tools by name (None for one that has only a wire form), and ``tools`` to send.

    Raises:
        TypeError: An entry is no tool.
        ValueError: Two tools have one name.
    """
    given = cast("object", tools)
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise TypeError(f"tools must be a sequence of tools, got {type(tools).__name__}")
    known: dict[str, Tool[..., Any] | None] = {}
    wire: list[Mapping[str, Any]] = []
    for index, item in enumerate(cast("Sequence[object]", given)):
        own: Tool[..., Any] | None = None
        if isinstance(item, Mapping | Struct):
            param = _plain(cast("Mapping[str, Any] | Struct", item), f"tools[{index}]")
            function: Any = param.get("function") or {}
            name: object = function.get("name") if param["type"] == "function" else None
        elif callable(item):
            own = cast("Tool[..., Any]", item) if isinstance(item, Tool) else Tool(item)
            param, name = own.to_param(), own.name
        else:
            raise TypeError(
                f"tools[{index}] must be a function, a type, a Tool or a wire form, "
                f"got {type(item).__name__}"
            )
        if isinstance(name, str):
            if name in known:
                raise ValueError(f"tools[{index}]: two tools have the name {name!r}")
            known[name] = own
        wire.append(param)
    return known, wire


def _plain(item: Mapping[str, Any] | Struct, place: str) -> Mapping[str, Any]:
    param: Any = msgspec.to_builtins(item) if isinstance(item, Struct) else item
    if not isinstance(param.get("type"), str):
        raise ValueError(f"{place}.type must say which tool it is, such as 'function'")
    return cast("Mapping[str, Any]", param)


def _checked_name(name: object, target: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a tool's name must be a str, got {type(name).__name__}")
    if name == "<lambda>":
        raise ValueError("a lambda has no name: write a function, or give tool(..., name=...)")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"a tool's name must be 1 to 64 of A-Z, a-z, 0-9, '_' and '-', got {name!r}; "
            "give another with tool(..., name=...)"
        )
    return name


def _name_of(target: Any) -> object:
    while isinstance(target, functools.partial):
        target = target.func
    return getattr(target, "__name__", None) or type(target).__name__


def _has_fields(kind: type[Any]) -> bool:
    return (
        issubclass(kind, Struct)
        or dataclasses.is_dataclass(kind)
        or is_typeddict(kind)
        or hasattr(kind, "model_json_schema")
    )


def _is_async(target: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(innermost(target))
