"""TLS, proxies and hosts without TLS, over real sockets."""

from __future__ import annotations

import base64
import ssl

import pytest
import trustme

from harbour_async import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    HarbourSession,
    Network,
    RateLimit,
    Retry,
    Timeout,
)
from tests.exposed import exposed_text
from tests.servers import KEY, ReceivedRequest, answer, http_proxy, raw_server

RECORD = b'{"verification_id": "VERIFICATION-1"}'
FAST = Retry(attempts=3, base_delay=0.001, max_delay=0.002)
PASSWORD = "hunter2-5f2c"


async def give_a_record(_: ReceivedRequest) -> bytes:
    return answer(200, RECORD)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def session(url: str, network: Network) -> HarbourSession:
    return HarbourSession(
        KEY,
        base_url=url,
        network=network,
        retry=FAST,
        timeout=Timeout(10, 5, 5),
        rate_limit=RateLimit.unlimited(),
    )


async def test_a_certificate_authority_of_the_users_own_is_trusted(authority: trustme.CA) -> None:
    network = Network(ssl=client_context(authority))
    async with (
        raw_server(give_a_record, tls=server_context(authority)) as server,
        session(server.url, network) as harbour,
    ):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id


async def test_an_unknown_authority_is_a_final_error_that_names_host_and_reason(
    authority: trustme.CA,
) -> None:
    async with (
        raw_server(give_a_record, tls=server_context(authority)) as server,
        session(server.url, Network()) as harbour,
    ):
        with pytest.raises(APIConnectionError, match=r"127\.0\.0\.1.*certificate") as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert not caught.value.sent
    assert caught.value.final
    assert caught.value.attempts == 1
    assert server.received == []
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_a_certificate_for_another_host_is_a_final_error(authority: trustme.CA) -> None:
    network = Network(ssl=client_context(authority))
    async with (
        raw_server(give_a_record, tls=server_context(authority, "other.example")) as server,
        session(server.url, network) as harbour,
    ):
        with pytest.raises(APIConnectionError, match="mismatch") as caught:
            await harbour.webhooks.create("https://destination.example")
    assert caught.value.attempts == 1
    assert server.received == []


async def test_a_client_certificate_is_presented(authority: trustme.CA) -> None:
    strict = server_context(authority)
    strict.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(strict)
    mutual = client_context(authority)
    authority.issue_cert("client.example").configure_cert(mutual)
    async with (
        raw_server(give_a_record, tls=strict) as server,
        session(server.url, Network(ssl=mutual)) as harbour,
    ):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_missing_client_certificate_is_a_final_error(
    authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    strict = server_context(authority)
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.minimum_version = strict.maximum_version = version
    authority.configure_trust(strict)
    async with (
        raw_server(give_a_record, tls=strict) as server,
        session(server.url, Network(ssl=client_context(authority))) as harbour,
    ):
        with pytest.raises(APIConnectionError) as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert server.received == []
    assert caught.value.attempts <= FAST.attempts


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def nameless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


@pytest.mark.parametrize("context", [unverified(), nameless()])
def test_a_context_that_does_not_verify_is_refused_at_once(context: ssl.SSLContext) -> None:
    with pytest.raises(ConfigurationError, match="verify"):
        HarbourSession(KEY, base_url="https://api.example", network=Network(ssl=context))
    hosts = Network(ssl=context, insecure_hosts=("api.example",))
    with pytest.raises(ConfigurationError, match="verify"):
        HarbourSession(KEY, base_url="https://api.example", network=hosts)


async def test_a_loopback_host_needs_no_verification(authority: trustme.CA) -> None:
    async with (
        raw_server(give_a_record, tls=server_context(authority, "x.example")) as server,
        session(server.url, Network(ssl=unverified())) as harbour,
    ):
        assert (await harbour.verifications.get("VERIFICATION-1")).verification_id


async def test_https_goes_through_the_proxy_in_a_tunnel(authority: trustme.CA) -> None:
    async with (
        raw_server(give_a_record, tls=server_context(authority)) as server,
        http_proxy() as proxy,
        session(
            server.url,
            Network(
                proxy=proxy.url.replace("//", f"//user:{PASSWORD}@"), ssl=client_context(authority)
            ),
        ) as harbour,
    ):
        await harbour.verifications.get("VERIFICATION-1")
        await harbour.webhooks.delete("wb_1")
    credentials = base64.b64encode(f"user:{PASSWORD}".encode())
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic " + credentials in proxy.heads[0]
    assert KEY.encode() not in proxy.heads[0]
    assert [request.headers["x-api-key"] for request in server.received] == [KEY, KEY]
    assert all("Proxy-Authorization" not in request.headers for request in server.received)


async def test_plain_http_goes_through_the_proxy_with_its_credentials() -> None:
    async with (
        raw_server(give_a_record) as server,
        http_proxy() as proxy,
        session(
            server.url, Network(proxy=proxy.url.replace("//", f"//user:{PASSWORD}@"))
        ) as harbour,
    ):
        await harbour.verifications.get("VERIFICATION-1")
    assert proxy.heads[0].startswith(b"GET http://127.0.0.1:")
    assert b"Proxy-Authorization: Basic " in proxy.heads[0]


@pytest.mark.parametrize("status", [403, 407])
async def test_the_error_for_a_proxy_that_refuses_says_that_nothing_was_sent(
    status: int, authority: trustme.CA
) -> None:
    refusal = answer(status, b"no, Jane Doe", X_Echo=PASSWORD)
    async with (
        raw_server(give_a_record, tls=server_context(authority)) as server,
        http_proxy(refusal) as proxy,
        session(
            server.url, Network(proxy=proxy.url.replace("//", f"//user:{PASSWORD}@"))
        ) as harbour,
    ):
        with pytest.raises(APIConnectionError, match=f"proxy.*{status}") as caught:
            await harbour.verifications.delete("VERIFICATION-1")
    assert not caught.value.sent
    assert len(proxy.heads) == 1
    assert server.received == []
    for secret in (PASSWORD, KEY, "Jane"):
        assert secret not in exposed_text(caught.value)


async def refuse(_: ReceivedRequest) -> bytes:
    return answer(407, b"no, Jane Doe", X_Echo=PASSWORD)


async def test_a_proxy_that_refuses_plain_http_is_told_from_the_api() -> None:
    async with (
        raw_server(refuse) as server,
        session(
            "http://api.example/v2",
            Network(
                proxy=server.url.removesuffix("/v2").replace("//", f"//user:{PASSWORD}@"),
                insecure_hosts=("api.example",),
            ),
        ) as harbour,
    ):
        with pytest.raises(APIConnectionError, match=r"proxy.*refused.*407") as caught:
            await harbour.webhooks.create("https://destination.example")
    assert not caught.value.sent
    assert len(server.received) == 1
    for secret in (PASSWORD, KEY, "Jane"):
        assert secret not in exposed_text(caught.value)


async def test_a_407_without_a_proxy_is_an_answer_of_the_api() -> None:
    async with (
        raw_server(refuse) as server,
        session(server.url, Network()) as harbour,
    ):
        with pytest.raises(APIStatusError):
            await harbour.verifications.get("VERIFICATION-1")


@pytest.mark.parametrize("refusal", [b"garbage\r\n\r\n", answer(503)])
async def test_a_proxy_that_fails_is_tried_again_even_for_a_post(
    refusal: bytes, authority: trustme.CA
) -> None:
    async with (
        raw_server(give_a_record, tls=server_context(authority)) as server,
        http_proxy(refusal) as proxy,
        session(server.url, Network(proxy=proxy.url)) as harbour,
    ):
        with pytest.raises(APIConnectionError) as caught:
            await harbour.webhooks.create("https://destination.example")
    assert not caught.value.sent
    assert len(proxy.heads) == FAST.attempts


async def test_an_unreachable_proxy_is_named_in_the_error() -> None:
    async with http_proxy() as proxy:
        gone = proxy.url
    network = Network(proxy=gone.replace("//", f"//user:{PASSWORD}@"))
    async with session("https://api.example/v2", network) as harbour:
        with pytest.raises(APIConnectionError, match=f"proxy {gone[7:]}") as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert not caught.value.sent
    assert PASSWORD not in repr(caught.value.__cause__)
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)


@pytest.mark.parametrize("proxy", ["socks5://h:1", "http://", "http://a..b", "http://user:pw@"])
def test_a_proxy_that_cannot_be_used_is_refused_at_once(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="proxy"):
        HarbourSession(KEY, network=Network(proxy=proxy))


async def test_the_environments_proxy_is_used_if_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with raw_server(give_a_record) as server, http_proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with session(server.url, Network()) as harbour:
            await harbour.verifications.get("VERIFICATION-1")
        assert proxy.heads == []
        async with session(server.url, Network(trust_env=True)) as harbour:
            # It was looked up when the session was made.
            monkeypatch.delenv("http_proxy")
            await harbour.verifications.get("VERIFICATION-1")
        assert len(proxy.heads) == 1
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with session(server.url, Network(trust_env=True)) as harbour:
            await harbour.verifications.get("VERIFICATION-1")
        assert len(proxy.heads) == 1


async def test_netrc_is_never_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login jane password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        raw_server(give_a_record) as server,
        session(server.url, Network(trust_env=True)) as harbour,
    ):
        await harbour.verifications.get("VERIFICATION-1")
    assert "Authorization" not in server.received[0].headers


def test_a_host_without_tls_has_to_be_listed() -> None:
    with pytest.raises(ConfigurationError, match="insecure_hosts"):
        HarbourSession(KEY, base_url="http://sandbox:8080")
    HarbourSession(
        KEY, base_url="http://sandbox:8080", network=Network(insecure_hosts=("sandbox",))
    )


async def test_a_host_that_cannot_be_resolved_is_named_in_the_error() -> None:
    async with session("https://no-such-host.invalid/v2", Network()) as harbour:
        with pytest.raises(APIConnectionError, match=r"no-such-host\.invalid:443") as caught:
            await harbour.verifications.get("VERIFICATION-1")
    assert not caught.value.sent
