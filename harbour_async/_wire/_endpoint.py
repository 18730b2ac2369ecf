"""Where the API is, and how it is reached: base URL, proxy, headers."""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version

from yarl import URL

from harbour_async._wire._arguments import has_control
from harbour_async.errors import ConfigurationError

DEFAULT_BASE_URL = "https://api.myharbourshare.com/v2"


def base_url(given: str | None, insecure_hosts: Collection[str] = ()) -> URL:
    """The base URL; plain http only for loopback hosts ("Know the basics": HTTPS always).

    ``insecure_hosts`` are further hosts that may be used without TLS.
    """
    text = given if given is not None else os.environ.get("HARBOUR_BASE_URL") or DEFAULT_BASE_URL
    if not isinstance(text, str):
        raise ConfigurationError(f"base_url must be text, not {type(text).__name__}")
    url = _parsed("base_url", str.__str__(text).strip().rstrip("/"))
    if url.user is not None or url.password is not None:
        raise ConfigurationError("base_url must not carry a user name or password")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"base_url must be an absolute https URL, not {text!r}")
    if url.raw_query_string or url.fragment or "?" in text or "#" in text:
        raise ConfigurationError(f"base_url must be scheme, host and path only, not {text!r}")
    known = {name.lower() for name in insecure_hosts}
    if url.scheme == "http" and not is_loopback(url) and url.host.lower() not in known:
        raise ConfigurationError(
            f"{text!r} is not encrypted: use https (http is for loopback hosts, and for those of "
            "Network(insecure_hosts=...))"
        )
    return url


def is_loopback(url: URL) -> bool:
    """Whether the URL's host is this machine, by its name or address alone."""
    if url.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.host or "").is_loopback
    except ValueError:
        return False


def proxy_url(given: str | None, name: str = "Network.proxy") -> URL | None:
    """A proxy's URL, which may hold credentials. For that reason no message shows it."""
    if given is None:
        return None
    text = given.strip()
    url = _parsed(name, text if "://" in text else f"http://{text}")
    if url.scheme not in ("http", "https"):
        raise ConfigurationError(f"{name} must be an http or https URL: others are not supported")
    if not url.host:
        raise ConfigurationError(f"{name} must name a host")
    return url


def environment_proxy(url: URL) -> URL | None:
    """The proxy that the environment variables name for ``url``, by the rules of urllib."""
    if urllib.request.proxy_bypass(f"{url.host}:{url.port}"):
        return None
    proxies = urllib.request.getproxies()
    return proxy_url(proxies.get(url.scheme) or proxies.get("all"), "the environment's proxy")


def _parsed(name: str, text: str) -> URL:
    """A URL with a usable host and port; an error does not quote it."""
    if has_control(text) or any(character.isspace() for character in text):
        raise ConfigurationError(f"{name} must not hold spaces or control characters")
    try:
        url = URL(text)
        # yarl computes host and port only when they are read. Check the labels of the name as the
        # resolver does, which would fail at the first request otherwise.
        known = url.port != 0 and "%" not in (url.host or "")
        (url.raw_host or "").encode("idna")
    except ValueError:  # a UnicodeError is one
        known = False
    if not known:  # raised outside the handler: the cause's message may quote a password
        raise ConfigurationError(f"{name} is not a URL with a valid host and port")
    return url


def default_user_agent() -> str:
    """The package's name and version; without the version if the metadata is missing."""
    try:
        return f"harbour-async/{version('harbour-async')}"
    except PackageNotFoundError:
        return "harbour-async"


def headers(user_agent: str) -> dict[str, str]:
    """The headers of every request, without the key ("Request, response format")."""
    if not isinstance(user_agent, str) or not user_agent.isascii() or has_control(user_agent):
        raise ConfigurationError("user_agent must be printable ASCII text")
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": str.__str__(user_agent),
    }
