"""Networks and a strict server, to measure the budget with."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from harbour_async.budget import Budget
from harbour_async.settings import Priority


class Trip(NamedTuple):
    """Seconds from the grant to the arrival at the server, and to the answer."""

    arrival: float
    answer: float


def lan(rng: random.Random) -> Trip:
    answer = rng.uniform(0.0005, 0.002)
    return Trip(answer * rng.random(), answer)


def wan(rng: random.Random) -> Trip:
    """Trips of 80 ms in the median; one in a hundred takes a second more."""
    answer = rng.lognormvariate(math.log(0.08), 0.5) + (rng.random() < 0.01)
    return Trip(answer * rng.random(), answer)


def cold_tls(rng: random.Random) -> Trip:
    """As the WAN, but one request in five first has to connect, in three round trips."""
    arrival, answer = wan(rng)
    handshake = 3 * answer if rng.random() < 0.2 else 0.0
    return Trip(arrival + handshake, answer + handshake)


NETWORKS: dict[str, Callable[[random.Random], Trip]] = {"LAN": lan, "WAN": wan, "cold": cold_tls}


def most_in_window(arrivals: list[float], per: float) -> int:
    """Arrivals in the fullest window of ``per`` seconds, both ends included."""
    arrivals = sorted(arrivals)
    most = first = 0
    for index, arrival in enumerate(arrivals):
        while arrivals[first] < arrival - per:
            first += 1
        most = max(most, index - first + 1)
    return most


Release = Callable[[], object]
"""To be called when the answer has come."""


async def saturate(
    acquire: Callable[[], Awaitable[Release]],
    network: Callable[[random.Random], Trip],
    seconds: float,
    seed: int,
) -> list[float]:
    """Send as much as ``acquire`` permits; the times at which the requests arrive."""
    loop = asyncio.get_running_loop()
    rng = random.Random(seed)
    arrivals = []
    while loop.time() < seconds:
        release = await acquire()
        trip = network(rng)
        now = loop.time()
        arrivals.append(now + trip.arrival)
        loop.call_at(now + trip.answer, release)
    return arrivals


async def saturate_budget(
    network: Callable[[random.Random], Trip], seconds: float, seed: int
) -> list[float]:
    """``saturate`` a budget of 100 a minute."""
    budget = Budget()

    async def acquire() -> Release:
        return (await budget.acquire(Priority.BULK)).answered

    return await saturate(acquire, network, seconds, seed)
