"""One item being asked: the route, the item, and what every way of reading needs beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verifier.errors import BadReply
from verifier.model.profile import Item, Pace
from verifier.model.snapshot import NotAsked, Reading
from verifier.model.words import Evidence
from verifier.transport.answer import Answer, Objects, Output, Words
from verifier.transport.request import Copy, Request
from verifier.transport.route import Route

Outcome = tuple[Reading, ...] | NotAsked
"""What comes of asking an item: its readings, in any order, or why it was not asked."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Everything a way of reading may use. `ask` is the route's own, with every answer counted for the progress."""

    route: Route
    item: Item
    pace: Pace
    keep: Callable[[bytes], str]
    """Stores redacted text; gives its SHA-256."""
    seed: int
    """For the second look at critical values: another one in every check, so that no device can foresee the spans."""
    counted: Callable[[], None]
    golden: Callable[[], Copy] | None = None
    """Gives the place for one more exact copy; None: this reading keeps none."""

    def ask(self, request: Request) -> Iterator[Answer]:
        """As `Route.ask`."""
        for answer in self.route.ask(request):
            self.counted()
            yield answer

    def cannot(self, request: Request) -> NotAsked | None:
        """Why this kind of route cannot ask such a request at all; None when it can. Nothing is sent."""
        why = self.route.can(request)
        return NotAsked(self.item.name, why) if why else None

    def one(self, request: Request) -> Answer:
        """The only answer to a request that has one.

        Raises:
            DeviceError: as `Route.ask`; BadReply when there is none, or more than one.
        """
        answers = tuple(self.ask(request))
        if len(answers) != 1:
            raise BadReply(f"{len(answers)} answers where one was expected")
        return answers[0]

    def words(self, request: Request) -> tuple[int, ...]:
        """The one answer in registers or bits.

        Raises:
            DeviceError: as `one`; BadReply when it holds something else.
        """
        match self.one(request):
            case Words(values):
                return values
            case other:
                raise _strange(other)

    def output(self, request: Request) -> bytes:
        """The one answer in bytes.

        Raises:
            DeviceError: as `one`; BadReply when it holds something else.
        """
        match self.one(request):
            case Output(data):
                return data
            case other:
                raise _strange(other)

    def objects(self, request: Request) -> Objects:
        """The one answer in identification objects.

        Raises:
            DeviceError: as `one`; BadReply when it holds something else.
        """
        match self.one(request):
            case Objects() as objects:
                return objects
            case other:
                raise _strange(other)

    @property
    def offline(self) -> bool:
        """True when the device is off and its card or image is read."""
        return self.route.evidence is Evidence.OFFLINE_MEDIA


def _strange(answer: Answer) -> BadReply:
    return BadReply(f"an answer of another kind: {type(answer).__name__}")
