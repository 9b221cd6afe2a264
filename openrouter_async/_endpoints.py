"""Where each endpoint group is reached: one property a group, in alphabetical order.

The rule of this file: a group is imported when it is asked for, so that a program that only chats
never loads the types of the rest. What a group does is said in `resources`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._sender import Sender
    from .resources.audio import Audio
    from .resources.generations import Generations
    from .resources.images import Images
    from .resources.keys import Keys
    from .resources.models import Models
    from .resources.videos import Videos

__all__ = ["Endpoints"]


class Endpoints:
    """The endpoint groups of a client."""

    _sender: Sender
    _model: str | None

    @property
    def audio(self) -> Audio:
        """Speech from text, and text from speech."""
        from .resources.audio import Audio

        return Audio(self._sender)

    @property
    def generations(self) -> Generations:
        """The records of what was generated, with what it cost."""
        from .resources.generations import Generations

        return Generations(self._sender.fetch)

    @property
    def images(self) -> Images:
        """The endpoint made for drawing, and the models behind it."""
        from .resources.images import Images

        return Images(self._sender, self._sender.fetch, self._model)

    @property
    def keys(self) -> Keys:
        """The account's API keys."""
        from .resources.keys import Keys

        return Keys(self._sender)

    @property
    def models(self) -> Models:
        """The models that the API offers."""
        from .resources.models import Models

        return Models(self._sender.fetch)

    @property
    def videos(self) -> Videos:
        """Videos, and the jobs that make them."""
        from .resources.videos import Videos

        return Videos(self._sender)
