"""Words for annotations of arguments that have a form: amounts, days, moments, ids.

The rule of this file: as in `_request`, a type checker reads what users may write, and msgspec one
plain type, which checks the value and gives it the form of the wire. It is imported with the types
of management calls, never by the package.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeAlias
from uuid import UUID

from msgspec import Meta

if TYPE_CHECKING:
    Amount: TypeAlias = Decimal | str
    Day: TypeAlias = date | str
    Moment: TypeAlias = datetime | str
    Uuid: TypeAlias = UUID | str
else:
    Amount = Decimal
    Day = date
    Moment = Annotated[datetime, Meta(tz=True)]
    Uuid = UUID

Text: TypeAlias = Annotated[str, Meta(min_length=1)]
"""A text that must not be empty, such as a name or an id."""
