"""The two spellings of single objects' paths, and how an empty 2xx answer is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from harbour_async import (
    APIConnectionError,
    APIStatusError,
    DecodeError,
    HarbourSession,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimit,
    Retry,
    Timeout,
    UnprocessableEntityError,
)
from harbour_async.sandbox import Sandbox
from tests.servers import KEY, Handler, RawServer, ReceivedRequest, answer, raw_server

WEBHOOK = b'{"webhook_id": "wb_1", "event_datetime": 1685452157000}'
RECEIPT = b'{"verification_id": "V", "event_datetime": 1685452157000}'
FAST = Retry(attempts=3, base_delay=0.001, max_delay=0.002)
LOST = None


@asynccontextmanager
async def talking(handler: Handler) -> AsyncIterator[tuple[HarbourSession, RawServer]]:
    async with (
        raw_server(handler) as server,
        HarbourSession(
            KEY,
            base_url=server.url,
            retry=FAST,
            timeout=Timeout(10, 5, 5),
            rate_limit=RateLimit.unlimited(),
        ) as harbour,
    ):
        yield harbour, server


def routes(table: Mapping[str, list[bytes | None] | bytes | None], default: int = 404) -> Handler:
    """Answers by "METHOD /resource"; those of a list in turn, the last one again and again."""
    left = {
        route: list(answers) if isinstance(answers, list) else [answers]
        for route, answers in table.items()
    }

    async def handler(request: ReceivedRequest) -> bytes | None:
        route = f"{request.method} {request.target.removeprefix('/v2').rsplit('/', 1)[0]}"
        answers = left.get(route, [answer(default)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    return handler


def targets(server: RawServer) -> list[str]:
    return [f"{request.method} {request.target.removeprefix('/v2')}" for request in server.received]


async def test_a_server_may_spell_the_path_differently_for_each_method() -> None:
    """The guide's detail sections mix the spellings like this."""
    webhook = answer(200, WEBHOOK)
    table = {"GET /webhook": webhook, "PUT /webhooks": webhook, "DELETE /webhooks": webhook}
    async with talking(routes(table)) as (harbour, server):
        for _ in range(2):
            await harbour.webhooks.get("wb_1")
            await harbour.webhooks.update("wb_1", destination_url="https://x.example")
            await harbour.webhooks.delete("wb_1")
    assert targets(server) == [
        "GET /webhooks/wb_1",
        "GET /webhook/wb_1",
        "PUT /webhooks/wb_1",
        "DELETE /webhooks/wb_1",
        "GET /webhook/wb_1",
        "PUT /webhooks/wb_1",
        "DELETE /webhooks/wb_1",
    ]


async def test_the_spelling_that_worked_is_remembered_by_views_as_well() -> None:
    async with talking(routes({"GET /webhook": answer(200, WEBHOOK)})) as (harbour, server):
        await harbour.with_options(timeout=5).webhooks.get("wb_1")
        await harbour.webhooks.get("wb_1")
    assert len(server.received) == 3


async def test_a_404_under_a_known_spelling_does_not_try_the_other() -> None:
    answers: list[bytes | None] = [answer(200, WEBHOOK), answer(404)]
    async with talking(routes({"GET /webhook": answers})) as (harbour, server):
        await harbour.webhooks.get("wb_1")
        with pytest.raises(NotFoundError):
            await harbour.webhooks.get("wb_2")
    assert targets(server)[2:] == ["GET /webhook/wb_2"]


@pytest.mark.parametrize("unknown", [403, 404, 405])
async def test_a_gateway_that_does_not_know_the_route_leads_to_the_other_spelling(
    unknown: int,
) -> None:
    table = {"GET /webhook": answer(200, WEBHOOK)}
    async with talking(routes(table, default=unknown)) as (harbour, server):
        assert (await harbour.webhooks.get("wb_1")).webhook_id == "wb_1"
    assert len(server.received) == 2


@pytest.mark.parametrize("first", [403, 404, 405])
@pytest.mark.parametrize("second", [403, 404, 405])
@pytest.mark.parametrize("method", ["get", "delete"])
async def test_if_both_fail_the_first_error_is_raised(first: int, second: int, method: str) -> None:
    name = method.upper()
    table = {f"{name} /webhooks": answer(first), f"{name} /webhook": answer(second)}
    async with talking(routes(table)) as (harbour, server):
        with pytest.raises(APIStatusError) as caught:
            await getattr(harbour.webhooks, method)("wb_1")
    assert caught.value.status == first
    assert str(caught.value.request) == f"{name} /webhooks/wb_1"
    assert any(str(second) in note for note in caught.value.__notes__)
    assert len(server.received) == 2


async def many_and_missing(harbour: HarbourSession, *ids: str) -> tuple[list[str], list[str]]:
    many = harbour.verifications.get_many(ids)
    return [v.verification_id async for v in many], many.missing


@asynccontextmanager
async def mixed() -> AsyncIterator[tuple[HarbourSession, Sandbox]]:
    """It knows the plural path, for DELETE only, so it answers 405 to a GET of that."""
    async with (
        Sandbox(
            verifications=3, rate_limit=None, spelling={"GET": "singular", "DELETE": "plural"}
        ) as sandbox,
        HarbourSession(sandbox.api_key, base_url=sandbox.url) as harbour,
    ):
        yield harbour, sandbox


async def test_an_id_that_does_not_exist_is_missing_where_each_method_has_its_spelling() -> None:
    async with mixed() as (harbour, sandbox):
        first = sandbox.verification_ids()[0]
        assert await many_and_missing(harbour, "V-none", first) == ([first], ["V-none"])


async def test_waiting_for_what_does_not_exist_is_404_where_each_method_has_its_spelling() -> None:
    async with mixed() as (harbour, _):
        with pytest.raises(NotFoundError):
            await harbour.verifications.wait_for("V-none", timeout=30)


@pytest.mark.parametrize(("first", "second"), [(403, 404), (405, 405), (405, 403)])
async def test_an_id_that_may_exist_is_not_missing(first: int, second: int) -> None:
    table = {"GET /verifications": answer(first), "GET /verification": answer(second)}
    async with talking(routes(table)) as (harbour, _):
        with pytest.raises(APIStatusError) as caught:
            await many_and_missing(harbour, "V")
    assert caught.value.status == first


async def test_a_real_refusal_is_not_hidden_by_an_unknown_route() -> None:
    async with talking(routes({"DELETE /webhooks": answer(403)})) as (harbour, _):
        with pytest.raises(PermissionDeniedError):
            await harbour.webhooks.delete("wb_1")


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (answer(422), UnprocessableEntityError),
        (answer(503), InternalServerError),
        (LOST, APIConnectionError),
    ],
)
async def test_another_error_of_the_second_spelling_is_raised_instead_of_not_found(
    second: bytes | None, error: type[Exception]
) -> None:
    async with talking(routes({"PUT /webhook": second})) as (harbour, _):
        with pytest.raises(error):
            await harbour.webhooks.update("wb_1", destination_url="https://x.example")


@pytest.mark.parametrize("status", [400, 401, 409, 422])
async def test_other_errors_do_not_lead_to_the_other_spelling(status: int) -> None:
    async with talking(routes({"GET /webhooks": answer(status)})) as (harbour, server):
        with pytest.raises(APIStatusError):
            await harbour.webhooks.get("wb_1")
    assert len(server.received) == 1


# -- deletes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [400, 403, 404, 405, 410, 501])
async def test_a_lost_delete_is_a_success_whatever_the_other_route_answers(second: int) -> None:
    table: dict[str, list[bytes | None] | bytes | None] = {
        "DELETE /verifications": [LOST, answer(404)],
        "DELETE /verification": answer(second),
    }
    async with talking(routes(table)) as (harbour, _):
        receipt = await harbour.verifications.delete("V")
    assert (receipt.verification_id, receipt.event_datetime) == ("V", None)


async def test_a_lost_delete_of_an_unknown_route_is_sent_under_the_other_spelling() -> None:
    table: dict[str, list[bytes | None] | bytes | None] = {
        "DELETE /verifications": [LOST, answer(404)],
        "DELETE /verification": answer(200, RECEIPT),
    }
    async with talking(routes(table)) as (harbour, _):
        assert (await harbour.verifications.delete("V")).event_datetime is not None


async def test_a_delete_that_was_lost_under_the_second_spelling_is_a_success() -> None:
    table: dict[str, list[bytes | None] | bytes | None] = {
        "DELETE /verification": [LOST, answer(404)],
    }
    async with talking(routes(table)) as (harbour, server):
        assert (await harbour.verifications.delete("V")).verification_id == "V"
    assert len(server.received) == 3


async def test_a_delete_that_is_lost_under_both_spellings_is_not_a_success() -> None:
    table: dict[str, list[bytes | None] | bytes | None] = {
        "DELETE /verifications": [LOST, answer(404)],
        "DELETE /verification": LOST,
    }
    async with talking(routes(table)) as (harbour, _):
        with pytest.raises(APIConnectionError):
            await harbour.verifications.delete("V")


# -- empty successes -------------------------------------------------------------------------

EMPTY = [answer(204), answer(200), answer(200, b"null"), answer(200, b"{}"), answer(202, b" {}\n")]

Write = Callable[[HarbourSession], Awaitable[object]]


@pytest.mark.parametrize("data", EMPTY)
async def test_an_empty_success_is_a_receipt_with_the_id_that_was_asked_for(data: bytes) -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        return data

    async with talking(handler) as (harbour, server):
        assert (await harbour.verifications.delete("V")).verification_id == "V"
        assert (await harbour.webhooks.delete("wb_1")).webhook_id == "wb_1"
        updated = await harbour.webhooks.update("wb_1", destination_url="https://x.example")
        assert (updated.webhook_id, updated.event_datetime) == ("wb_1", None)
    assert len(server.received) == 3


async def test_a_receipt_without_an_id_gets_the_one_that_was_asked_for() -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        return answer(200, b'{"event_datetime": 1685452157000, "note": "n"}')

    async with talking(handler) as (harbour, _):
        receipt = await harbour.webhooks.delete("wb_1")
    assert receipt.webhook_id == "wb_1"
    assert receipt.event_datetime is not None
    assert receipt.extra == {"note": "n"}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"ok"', b"{"])
async def test_another_body_of_a_success_is_a_decode_error(body: bytes) -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        return answer(200, body)

    async with talking(handler) as (harbour, _):
        with pytest.raises(DecodeError, match="DELETE /webhooks/wb_1"):
            await harbour.webhooks.delete("wb_1")


@pytest.mark.parametrize("data", EMPTY)
async def test_an_empty_success_of_a_get_or_post_is_a_decode_error(data: bytes) -> None:
    async def handler(_: ReceivedRequest) -> bytes:
        return data

    async with talking(handler) as (harbour, _):
        with pytest.raises(DecodeError):
            await harbour.webhooks.get("wb_1")
        with pytest.raises(DecodeError):
            await harbour.webhooks.create("https://x.example")
