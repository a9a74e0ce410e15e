"""What a Meter keeps of answers that come later: the responses still being made, the ids it had."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import Final

from costspan.middleware.live import LiveCall
from costspan.middleware.meter import Meter
from costspan.middleware.recent_ids import RecentIds

_KEPT: Final = "__costspan_pending__"
_MAX_OPEN = 1_000
_MAX_IDS = 100_000


class Pending:
    """The calls of one Meter whose answers come later. Takes no lock: finalisers use it, too.

    Attributes:
        pid: The process that it belongs to.
        recorded: Ids of the answers that have a record.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.recorded = RecentIds(_MAX_IDS)
        self._open: OrderedDict[str, LiveCall] = OrderedDict()

    def hold(self, identity: str, call: LiveCall) -> None:
        """Keep a call open until `take`; of more than 1,000 the oldest ends as it is."""
        if identity in self._open:
            return
        self._open[identity] = call
        while len(self._open) > _MAX_OPEN:
            self._open.popitem(last=False)[1].end_later("dropped")

    def get(self, identity: str) -> LiveCall | None:
        """The open call that waits for an answer."""
        return self._open.get(identity)

    def take(self, identity: str) -> LiveCall | None:
        """The same, and it waits no more: the answer is there and is recorded."""
        self.recorded.add(identity)
        return self._open.pop(identity, None)


def pending_of(meter: Meter) -> Pending:
    """What a Meter keeps; a forked child begins with nothing."""
    fields = vars(meter)
    found: Pending | None = fields.get(_KEPT)
    if found is None or found.pid != os.getpid():
        found = fields[_KEPT] = Pending()
    return found
