"""The slots of many processes, kept in Redis or Valkey (5 or later). The only user of redis-py.

Why not `limits` and its moving window: its entries are bare timestamps in a list, taken from each
client's clock when the request is *permitted*. They have no names, so none can be moved to the time
of its answer, and the promise depends on that. Two sorted sets can do it:

- ``sent``: requests in flight, by the time at which their lease ends (a holder that crashed never
  answers, and its slot comes back then);
- ``cooling``: answered requests, by the time at which their slot is free.

Every time is the server's own ``TIME``, in microseconds; each script is atomic.

A pause is a key that expires. ``take`` shortens one that is longer than its reader's ``max_pause``
(an older client wrote it): reading it as shorter would not do, since the rest of it would still be
there when the reader comes back.
"""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from harbour_async._frames import dropped_frames
from harbour_async.errors import APIConnectionError, ConfigurationError

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.commands.core import AsyncScript

    from harbour_async._keys import Secret

T = TypeVar("T")

ANSWER_TIMEOUT = 2.0
"""Seconds to wait for Redis, when connecting and for each answer."""

_INHERITED: list[object] = []
"""Clients of the parent process, which a forked child must not close."""

_COMMON = """
local sent, cooling, pause = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function add(key, after, name)
    redis.call('ZADD', key, string.format('%.0f', now + after), name)
    local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
    redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil(last[2] / 1000) + 1))
end
"""

_TAKE = (
    _COMMON
    + """
local requests, lease, name = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local max_pause = tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', sent, '-inf', string.format('%.0f', now))
redis.call('ZREMRANGEBYSCORE', cooling, '-inf', string.format('%.0f', now))
local paused = math.max(0, redis.call('PTTL', pause))
if paused > max_pause then
    redis.call('PEXPIRE', pause, max_pause)
    paused = max_pause
end
paused = paused * 1000
local used = redis.call('ZCARD', sent) + redis.call('ZCARD', cooling)
local granted = 0
if redis.call('ZSCORE', sent, name) then
    granted = 1
elseif paused == 0 and used < requests then
    add(sent, lease, name)
    used = used + 1
    granted = 1
end
local first = redis.call('ZRANGE', cooling, 0, 0, 'WITHSCORES')
local next_free = -1
if first[2] then next_free = first[2] - now end
return {granted, used, next_free, paused}
"""
)

_SETTLE = (
    _COMMON
    + """
for i = 1, #ARGV, 2 do
    local name, hold = ARGV[i], tonumber(ARGV[i + 1])
    redis.call('ZREM', sent, name)
    if hold > 0 then add(cooling, hold, name) end
end
"""
)

_PAUSE = """
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[3], 1, 'PX', ARGV[1])
end
"""


class Reply(NamedTuple):
    """The answer to ``take``. Durations are seconds; ``next_free`` is None if it is not known."""

    granted: bool
    used: int
    next_free: float | None
    paused: float


class RedisStore:
    """Three scripts over the keys of one budget."""

    def __init__(self, url: Secret, key: str) -> None:
        self.address = address_of(url)
        self._url = url
        # The braces keep the keys on one node of a cluster.
        self._keys = [f"harbour:{{{key}}}:{part}" for part in ("sent", "cooling", "pause")]
        redis = self._redis = _import_redis()
        self._refusals = (redis.AuthenticationError, redis.exceptions.NoPermissionError)
        # What answers may be something else than Redis, whose answers cannot be read.
        self._failures = (redis.RedisError, OSError, ValueError, TypeError)
        self._made_in = os.getpid()
        self._use(self._new_client())  # connects to nothing yet, but checks the URL

    def connect(self) -> None:
        """Go on with new connections: those of the last event loop cannot be used in this one."""
        if self._made_in != os.getpid():
            # A forked child must not close its copies of the parent's connections. That would
            # take them out of the epoll set, which both processes share, and the parent would
            # never get another answer from Redis. So keep them.
            _INHERITED.append(self._client)
            self._made_in = os.getpid()
        self._use(self._new_client())

    def _use(self, client: Redis) -> None:
        self._client = client
        self._take = client.register_script(_TAKE)
        self._settle = client.register_script(_SETTLE)
        self._pause = client.register_script(_PAUSE)

    def _new_client(self) -> Redis:
        redis = self._redis
        with suppress(ValueError, TypeError, AttributeError):
            client: Redis = redis.asyncio.Redis.from_url(
                self._url.reveal(),
                socket_timeout=ANSWER_TIMEOUT,
                socket_connect_timeout=ANSWER_TIMEOUT,
                # Once, for a kept connection that turns out dead; the session retries the rest.
                retry=redis.asyncio.retry.Retry(redis.backoff.NoBackoff(), 1),
            )
            return client
        # Neither the message nor a cause or context may repeat the URL: it may hold a password.
        raise ConfigurationError(
            "the Redis URL cannot be used; it looks like redis://host:6379/0, "
            "rediss:// with TLS, or unix:///path"
        )

    async def take(self, name: str, *, requests: int, lease: float, max_pause: float) -> Reply:
        """Take a slot if one is free and no pause lasts. Asking twice for one name takes one slot.

        A pause longer than ``max_pause`` seconds is shortened to that, for all processes.
        """
        args: list[int | str] = [requests, _micros(lease), name, _millis(max_pause)]
        return await self._run(self._take, args, _reply)

    async def settle(self, holds: Sequence[tuple[str, float]]) -> None:
        """Free each named slot so many seconds from now; 0: at once."""
        args = [part for name, s in holds for part in (name, _micros(s))]
        await self._run(self._settle, args, _nothing)

    async def pause(self, seconds: float) -> None:
        """Let no process take a slot for so many seconds; a longer pause stands."""
        await self._run(self._pause, [_millis(seconds)], _nothing)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _run(
        self, script: AsyncScript, args: Sequence[int | str], read: Callable[[Any], T]
    ) -> T:
        with dropped_frames():  # those of redis-py hold the password
            try:
                answer: Awaitable[Any] = script(keys=self._keys, args=list(args))
                return read(await answer)
            except self._refusals as error:
                raise ConfigurationError(
                    f"the Redis of the rate budget at {self.address} refuses these credentials"
                ) from error
            except self._failures as error:
                raise APIConnectionError(
                    f"nothing was sent: the Redis of the rate budget at {self.address} "
                    f"is not available ({type(error).__name__})",
                    sent=False,
                ) from error


def _reply(answer: Any) -> Reply:
    granted, used, next_free, paused = map(int, answer)
    return Reply(bool(granted), used, None if next_free < 0 else next_free / 1e6, paused / 1e6)


def _nothing(_: Any) -> None: ...


def _micros(seconds: float) -> int:
    return math.ceil(seconds * 1e6)


def _millis(seconds: float) -> int:
    return math.ceil(seconds * 1e3)


def _import_redis() -> Any:
    try:
        import redis.asyncio.retry
        import redis.backoff
    except ImportError:
        raise ConfigurationError(
            "RedisBudget needs redis-py: pip install 'harbour-async[redis]'"
        ) from None
    return redis


def address_of(url: Secret) -> str:
    """The URL without user, password and options, for messages."""
    try:
        parts = urlsplit(url.reveal())
        if "@" in f"{parts.path}{parts.query}{parts.fragment}":
            return "an unreadable URL"  # its password has a "/", "?" or "#" that is not escaped
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
    except (ValueError, TypeError, AttributeError):
        return "an unreadable URL"
