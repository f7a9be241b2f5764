"""Lanes side by side: fewer where no more connections can be had."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest

from fastload import retry
from fastload.errors import TargetError, TooManyConnections
from fastload.lanes import Lanes
from fastload.progress import Meter


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", 0.001)


class Server:
    """Gives so many connections at once."""

    def __init__(self, room):
        self.room, self.done, self.most, self.busy = room, [], 0, 0

    async def work(self, item):
        if self.busy >= self.room:
            raise TooManyConnections("full", side="target")
        self.busy += 1
        self.most = max(self.most, self.busy)
        await anyio.sleep(0.001)
        self.busy -= 1
        self.done.append(item)


async def run(lanes, server, items, most=None):
    waiting = list(items)

    async def take():
        return waiting.pop() if waiting else None

    await lanes.run(most or len(waiting), take, waiting.append, server.work)


async def test_as_many_as_there_is_room_for():
    meter = Meter()
    server, lanes = Server(room=2), Lanes(8, meter)
    await run(lanes, server, range(30))
    assert sorted(server.done) == list(range(30))
    assert (server.most, lanes.count, meter.snapshot().lanes) == (2, 2, 2)
    assert lanes.note == "2 lanes instead of 8: full"


async def test_all_of_them_where_there_is_room():
    server, lanes = Server(room=4), Lanes(4, Meter())
    await run(lanes, server, range(30))
    assert (server.most, lanes.count, lanes.note) == (4, 4, None)


async def test_the_last_one_tries_again_and_then_raises():
    server, lanes = Server(room=0), Lanes(3, Meter())
    with pytest.raises(TooManyConnections):
        await run(lanes, server, range(5))
    assert lanes.count == 1


async def test_what_else_goes_wrong_is_raised():
    class Refusing(Server):
        async def work(self, item):
            raise TargetError("no")

    with pytest.raises(TargetError):
        await run(Lanes(3, Meter()), Refusing(1), range(5))


async def test_fewer_where_no_more_can_be_of_use():
    """What is full then is full of these."""
    server, lanes = Server(room=8), Lanes(8, Meter())
    await run(lanes, server, range(30), most=2)
    assert (server.most, lanes.count) == (2, 8)
    await run(lanes, Server(room=1), range(30), most=3)
    assert lanes.note == "1 lane instead of 8: full"


class Stubborn(Server):
    """Refuses each item so many times before it takes it."""

    def __init__(self, refusals):
        super().__init__(room=8)
        self.refusals, self.refused = refusals, Counter()

    async def work(self, item):
        if self.refused[item] < self.refusals:
            self.refused[item] += 1
            raise TooManyConnections("full", side="target")
        await super().work(item)


@pytest.mark.parametrize("count", [1, 8])
async def test_the_last_one_has_all_attempts_at_each_piece_of_work(count):
    server = Stubborn(retry.ATTEMPTS - 1)
    await run(Lanes(count, Meter()), server, range(3), most=1)
    assert sorted(server.done) == [0, 1, 2]


def test_a_limit_never_adds_lanes():
    meter = Meter()
    lanes = Lanes(4, meter)
    assert meter.snapshot().lanes == 4
    for count, left in ((6, 4), (2, 2), (3, 2)):
        lanes.limit(count, f"{count} readers")
        assert (lanes.count, meter.snapshot().lanes) == (left, left)
    assert lanes.note == "2 lanes instead of 4: 2 readers"
