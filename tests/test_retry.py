"""When a request is sent again, and how long it waits before that, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from harbour_async._retry import AlreadyDeletedError, retried
from harbour_async.errors import (
    APIConnectionError,
    APIStatusError,
    HarbourError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from harbour_async.settings import Retry
from tests.virtual_time import virtual_time

IDEMPOTENT = {"GET", "HEAD", "PUT", "DELETE"}
ALL = {*IDEMPOTENT, "POST", "PATCH"}
POLICY = Retry(attempts=5, base_delay=1.0, max_delay=8.0)


def status(
    cls: type[APIStatusError], number: int, retry_after: float | None = None
) -> HarbourError:
    return cls(status=number, method="GET", url="/x", retry_after=retry_after)


class Sends:
    """Raises the given errors, then succeeds; records the times of its calls and the pauses."""

    def __init__(self, *failures: HarbourError, longest_pause: float = 120.0) -> None:
        self.failures = list(failures)
        self.longest_pause = longest_pause
        self.at: list[float] = []
        self.paused: list[float] = []

    async def __call__(self) -> str:
        self.at.append(asyncio.get_running_loop().time())
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    def pause(self, seconds: float) -> float:
        self.paused.append(seconds)
        return min(seconds, self.longest_pause)

    async def run(
        self,
        *,
        method: str = "GET",
        policy: Retry = POLICY,
        deadline: float | None = None,
        closed: Callable[[], bool] = lambda: False,
    ) -> str:
        try:
            return await self()
        except HarbourError as error:
            first = error
        return await retried(
            first,
            self,
            method=method,
            policy=policy,
            deadline=deadline,
            pause=self.pause,
            closed=closed,
        )


@virtual_time
async def test_waits_are_random_and_at_most_doubling_up_to_the_ceiling() -> None:
    for _ in range(20):
        sends = Sends(*(APIConnectionError("x") for _ in range(4)))
        assert await sends.run() == "done"
        waits = [after - before for before, after in zip(sends.at, sends.at[1:], strict=False)]
        assert all(wait <= limit + 0.001 for wait, limit in zip(waits, [1, 2, 4, 8], strict=True))
        assert len(set(waits)) == 4


@virtual_time
async def test_retry_after_is_a_floor_for_any_status() -> None:
    sends = Sends(status(InternalServerError, 503, retry_after=100.0))
    await sends.run()
    assert sends.at[1] - sends.at[0] >= 100.0
    assert not sends.paused


@virtual_time
async def test_a_429_pauses_the_session_instead_of_the_task() -> None:
    sends = Sends(status(RateLimitError, 429, retry_after=30.0))
    await sends.run()
    assert sends.paused == [30.0]
    assert sends.at[1] - sends.at[0] < 0.001


@virtual_time
async def test_a_429_that_names_no_time_pauses_longer_each_time() -> None:
    sends = Sends(*(status(RateLimitError, 429) for _ in range(4)))
    await sends.run()
    assert sends.paused == [1.0, 2.0, 4.0, 8.0]


@virtual_time
async def test_a_429_with_retry_after_zero_still_pauses() -> None:
    sends = Sends(*(status(RateLimitError, 429, retry_after=0.0) for _ in range(4)))
    await sends.run()
    assert all(0 < pause <= limit for pause, limit in zip(sends.paused, [1, 2, 4, 8], strict=True))


@virtual_time
async def test_thousands_of_attempts_do_not_overflow() -> None:
    sends = Sends(*(APIConnectionError("x") for _ in range(1500)))
    assert await sends.run(policy=Retry(attempts=2000, base_delay=0.1, max_delay=1.0)) == "done"


@virtual_time
async def test_a_wait_that_would_pass_the_deadline_is_not_started() -> None:
    sends = Sends(status(InternalServerError, 503, retry_after=10.0))
    now = asyncio.get_running_loop().time()
    with pytest.raises(InternalServerError):
        await sends.run(deadline=now + 10.0)
    assert asyncio.get_running_loop().time() - now < 0.001


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize(
    ("failure", "again"),
    [
        (lambda: APIConnectionError("x", sent=False), ALL),
        (lambda: APIConnectionError("x", sent=True), IDEMPOTENT),
        (lambda: status(RateLimitError, 429), ALL),
        (lambda: status(InternalServerError, 500), IDEMPOTENT),
        (lambda: status(InternalServerError, 501), set()),
        (lambda: status(InternalServerError, 502), IDEMPOTENT),
        (lambda: status(InternalServerError, 503), IDEMPOTENT),
        (lambda: status(InternalServerError, 504), IDEMPOTENT),
        (lambda: status(InternalServerError, 520), IDEMPOTENT),
        (lambda: status(APIStatusError, 408), IDEMPOTENT),
        (lambda: status(APIStatusError, 425), IDEMPOTENT),
        (lambda: status(NotFoundError, 404), set()),
        (lambda: APIConnectionError("x", sent=False, final=True), set()),
    ],
)
def test_each_failure_is_retried_only_for_methods_where_that_is_safe(
    method: str, failure: Callable[[], HarbourError], again: set[str]
) -> None:
    @virtual_time
    async def check() -> None:
        sends = Sends(failure())
        if method in again:
            assert await sends.run(method=method) == "done"
        else:
            with pytest.raises(HarbourError):
                await sends.run(method=method)
        assert len(sends.at) == (2 if method in again else 1)

    check()


@pytest.mark.parametrize(
    ("first", "deleted"),
    [
        (lambda: APIConnectionError("lost", sent=True), True),
        (lambda: APIConnectionError("never left", sent=False), False),
        (lambda: status(InternalServerError, 504), True),
        (lambda: status(InternalServerError, 500), True),
        (lambda: status(InternalServerError, 524), True),
        (lambda: status(InternalServerError, 503), False),
        (lambda: status(InternalServerError, 521), False),
        (lambda: status(RateLimitError, 429), False),
    ],
)
def test_a_404_after_a_lost_delete_means_deleted(
    first: Callable[[], HarbourError], deleted: bool
) -> None:
    @virtual_time
    async def check() -> None:
        sends = Sends(first(), status(NotFoundError, 404))
        with pytest.raises(AlreadyDeletedError if deleted else NotFoundError):
            await sends.run(method="DELETE")

    check()


@virtual_time
async def test_no_more_attempts_are_made_than_the_policy_allows() -> None:
    sends = Sends(*(APIConnectionError(str(n)) for n in range(9)))
    with pytest.raises(APIConnectionError, match="2"):
        await sends.run(policy=Retry(attempts=3))
    assert len(sends.at) == 3


@pytest.mark.parametrize("cls_and_status", [(RateLimitError, 429), (InternalServerError, 503)])
@pytest.mark.parametrize("seconds", [120.1, 86_400.0, 9_999_999_999.0, 1_764_000_000.0])
def test_a_retry_after_beyond_the_cap_fails_at_once(
    cls_and_status: tuple[type[APIStatusError], int], seconds: float
) -> None:
    @virtual_time
    async def check() -> None:
        sends = Sends(status(*cls_and_status, retry_after=seconds))
        with pytest.raises(APIStatusError) as caught:
            await sends.run()
        assert caught.value.retry_after == seconds
        assert len(sends.at) == 1
        assert asyncio.get_running_loop().time() < 0.001
        assert sends.paused == ([120.0] if cls_and_status[1] == 429 else [])

    check()


@virtual_time
async def test_a_retry_after_within_the_cap_is_waited_for() -> None:
    sends = Sends(status(InternalServerError, 503, retry_after=300.0))
    await sends.run(policy=Retry(max_retry_after=300))
    assert sends.at[1] - sends.at[0] >= 300.0


@virtual_time
async def test_a_429_longer_than_the_longest_pause_of_the_budget_is_still_waited_for() -> None:
    for longest_pause in (5.0, 120.0):  # of a shared budget, which may be shorter
        sends = Sends(status(RateLimitError, 429, retry_after=300.0), longest_pause=longest_pause)
        await sends.run(policy=Retry(max_retry_after=300))
        assert sends.at[1] - sends.at[0] >= 300.0


@virtual_time
async def test_nothing_is_sent_again_once_the_session_is_closed() -> None:
    sends = Sends(status(InternalServerError, 503))
    with pytest.raises(InternalServerError):
        await sends.run(closed=lambda: True)
    assert len(sends.at) == 1
