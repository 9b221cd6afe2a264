"""JSON text while it is still coming: plain data that grows with each piece.

The rule of this file: pure, each character is looked at once, and nothing raises. What the value
has it keeps: containers only get more items, strings only get longer, and a number or literal
appears when it is whole. Text that is no JSON stops the growth; whether the whole text is a good
answer is for the one who has it all.

The states are the methods that take (text, position) and give the next position:

    _before    blanks and a byte order mark; then maybe a code fence, _fence
    _value     a value must begin; _item and _member: it, or the end of the empty container
    _name      the key of a member must begin; _colon follows it
    _string    within a text or a key; _escape and _hex are its escapes
    _token     within a number or literal
    _after     behind a value in a container: a comma or the end
    _rest      behind the whole value, or behind a mistake
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias, cast

__all__ = ["PartialJSON", "unfenced"]

_State: TypeAlias = Callable[["PartialJSON", str, int], int]

_MAX_DEPTH: Final = 200
_MAX_TOKEN: Final = 1_000
_REPLACEMENT: Final = "\ufffd"

_START: Final = "\ufeff \t\r\n"
_START_RUN: Final = re.compile(rf"[{_START}]*")
_BLANK_RUN: Final = re.compile(r"[ \t\r\n]*")
_FENCE_RUN: Final = re.compile(r'[^\s{\["]*')
_PLAIN_RUN: Final = re.compile(r'[^"\\]*')
_TOKEN_RUN: Final = re.compile(r"[-+.0-9A-Za-z]*")
_TOKEN_STARTS: Final = frozenset("-0123456789tfn")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{4}")
_LITERALS: Final[dict[str, object]] = {"true": True, "false": False, "null": None}
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}


def unfenced(text: str) -> str:
    """Give a text without the blanks and the Markdown code fence that models put around JSON."""
    text = text.lstrip(_START).rstrip()
    if text.startswith("```"):
        text = text[_past(_FENCE_RUN, text, 0) :].removesuffix("```").strip()
    return text


class PartialJSON:
    """Reads JSON text piece by piece."""

    __slots__ = (
        "_digits",
        "_high",
        "_holder",
        "_key",
        "_place",
        "_root",
        "_stack",
        "_state",
        "_word",
    )

    def __init__(self) -> None:
        self._root: list[Any] = []  # the value is its one item
        self._stack: list[Any] = [self._root]  # the containers that are open
        self._state: _State = PartialJSON._before
        self._key: list[str] | None = None  # the pieces of a key while it is being read
        self._holder: Any = self._root  # where the last value was put ...
        self._place: int | str = 0  # ... and under which index or key
        self._word = ""  # a number or literal so far
        self._digits = ""  # of an escape with four
        self._high = 0  # the first half of a surrogate pair that waits for the second

    @property
    def started(self) -> bool:
        """Whether there is any value yet."""
        return bool(self._root)

    @property
    def value(self) -> Any:
        """The value so far, itself and not a copy; None before it has started."""
        return self._root[0] if self._root else None

    def feed(self, text: str) -> None:
        """Take the next piece of the text."""
        position, end = 0, len(text)
        while position < end:
            position = self._state(self, text, position)

    def finish(self) -> None:
        """Take note that the text is over, so a number at its end can grow no more."""
        if self._state is PartialJSON._token:
            self._end_token()

    # Around the value.

    def _before(self, text: str, position: int) -> int:
        position = _past(_START_RUN, text, position)
        if position < len(text):
            self._state = PartialJSON._fence if text[position] == "`" else PartialJSON._value
        return position

    def _fence(self, text: str, position: int) -> int:
        position = _past(_FENCE_RUN, text, position)
        if position < len(text):
            self._state = PartialJSON._value
        return position

    def _rest(self, text: str, position: int) -> int:
        return len(text)

    # Structure.

    def _value(self, text: str, position: int) -> int:
        position = _past(_BLANK_RUN, text, position)
        if position == len(text):
            return position
        sign = text[position]
        if sign == '"':
            self._put("")
            self._state = PartialJSON._string
        elif sign == "{" and len(self._stack) <= _MAX_DEPTH:
            self._open({}, PartialJSON._member)
        elif sign == "[" and len(self._stack) <= _MAX_DEPTH:
            self._open([], PartialJSON._item)
        elif sign in _TOKEN_STARTS:
            self._word = ""
            self._state = PartialJSON._token
            return position
        else:
            self._state = PartialJSON._rest
        return position + 1

    def _item(self, text: str, position: int) -> int:
        """Begin the first item of a list, or end the list."""
        position = _past(_BLANK_RUN, text, position)
        if position == len(text):
            return position
        self._state = PartialJSON._after if text[position] == "]" else PartialJSON._value
        return position

    def _member(self, text: str, position: int) -> int:
        """Begin the first member of an object, or end the object."""
        position = _past(_BLANK_RUN, text, position)
        if position == len(text):
            return position
        self._state = PartialJSON._after if text[position] == "}" else PartialJSON._name
        return position

    def _name(self, text: str, position: int) -> int:
        position = _past(_BLANK_RUN, text, position)
        if position == len(text):
            return position
        self._key = []
        self._state = PartialJSON._string if text[position] == '"' else PartialJSON._rest
        return position + 1

    def _colon(self, text: str, position: int) -> int:
        position = _past(_BLANK_RUN, text, position)
        if position == len(text):
            return position
        self._state = PartialJSON._value if text[position] == ":" else PartialJSON._rest
        return position + 1

    def _after(self, text: str, position: int) -> int:
        position = _past(_BLANK_RUN, text, position)
        if position == len(text):
            return position
        sign = text[position]
        is_object = isinstance(self._stack[-1], dict)
        if sign == ",":
            self._state = PartialJSON._name if is_object else PartialJSON._value
        elif sign == ("}" if is_object else "]"):
            self._stack.pop()
            self._state = PartialJSON._rest if len(self._stack) == 1 else PartialJSON._after
        else:
            self._state = PartialJSON._rest
        return position + 1

    # Scalars.

    def _string(self, text: str, position: int) -> int:
        end = _past(_PLAIN_RUN, text, position)
        if end > position:
            self._grow(text[position:end])
        if end == len(text):
            return end
        if text[end] == "\\":
            self._state = PartialJSON._escape
        else:
            self._end_string()
        return end + 1

    def _escape(self, text: str, position: int) -> int:
        sign = text[position]
        if sign == "u":
            self._digits = ""
            self._state = PartialJSON._hex
        elif sign in _ESCAPES:
            self._grow(_ESCAPES[sign])
            self._state = PartialJSON._string
        else:
            self._state = PartialJSON._rest
        return position + 1

    def _hex(self, text: str, position: int) -> int:
        end = position + 4 - len(self._digits)
        self._digits += text[position:end]
        if len(self._digits) < 4:
            return len(text)
        if not _HEX.fullmatch(self._digits):
            self._state = PartialJSON._rest
            return end
        self._state = PartialJSON._string
        code = int(self._digits, 16)
        if 0xDC00 <= code < 0xE000:
            high, self._high = self._high, 0
            whole = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
            self._grow(chr(whole) if high else _REPLACEMENT)
        elif 0xD800 <= code < 0xDC00:
            self._grow("")
            self._high = code
        else:
            self._grow(chr(code))
        return end

    def _token(self, text: str, position: int) -> int:
        end = _past(_TOKEN_RUN, text, position)
        self._word += text[position:end]
        if len(self._word) > _MAX_TOKEN:
            self._state = PartialJSON._rest
        elif end < len(text):
            self._end_token()
        return end

    # What is gathered.

    def _put(self, value: object) -> None:
        """Give a new value its place: the root, the end of a list, or the key just read."""
        container = self._stack[-1]
        if not isinstance(container, dict):
            self._holder, self._place = container, len(container)
            container.append(value)
            return
        # A key that comes twice would take back what was shown, so the second goes nowhere.
        members = cast("dict[int | str, Any]", container)
        self._holder = {} if self._place in members else members
        self._holder[self._place] = value

    def _open(self, container: Any, state: _State) -> None:
        self._put(container)
        self._stack.append(container)
        self._state = state

    def _grow(self, piece: str) -> None:
        """Add to the string or key that is being read."""
        if self._high:  # a first half whose second never came
            piece, self._high = _REPLACEMENT + piece, 0
        if self._key is not None:
            self._key.append(piece)
            return
        text = self._holder[self._place]
        # Held by nothing else, a string grows in place; else this would copy it for each piece.
        self._holder[self._place] = ""
        text += piece
        self._holder[self._place] = text

    def _end_string(self) -> None:
        self._grow("")
        if self._key is None:
            self._end_value()
            return
        self._place, self._key = "".join(self._key), None
        self._state = PartialJSON._colon

    def _end_token(self) -> None:
        word = self._word
        number = _NUMBER.fullmatch(word)
        if number is not None:
            self._put(float(word) if number[1] or number[2] else int(word))
        elif word in _LITERALS:
            self._put(_LITERALS[word])
        else:
            self._state = PartialJSON._rest
            return
        self._end_value()

    def _end_value(self) -> None:
        self._state = PartialJSON._rest if len(self._stack) == 1 else PartialJSON._after


def _past(run: re.Pattern[str], text: str, position: int) -> int:
    """Give the position behind a run, which may be empty."""
    match = run.match(text, position)
    return match.end() if match is not None else position
