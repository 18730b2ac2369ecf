"""URLs, headers, parameters and error answers, without any I/O.

The sections named in the docstrings are those of Harbour's API guide v2.2.
"""

from harbour_async._wire._answers import content_type, error_from, json_text, retry_after
from harbour_async._wire._arguments import (
    body,
    extra,
    filters,
    has_control,
    order,
    plain,
    segment,
    text,
    whole,
)
from harbour_async._wire._endpoint import (
    DEFAULT_BASE_URL,
    base_url,
    default_user_agent,
    environment_proxy,
    headers,
    is_loopback,
    proxy_url,
)
from harbour_async._wire._request import IDEMPOTENT, Request, method, path, query

__all__ = [
    "DEFAULT_BASE_URL",
    "IDEMPOTENT",
    "Request",
    "base_url",
    "body",
    "content_type",
    "default_user_agent",
    "environment_proxy",
    "error_from",
    "extra",
    "filters",
    "has_control",
    "headers",
    "is_loopback",
    "json_text",
    "method",
    "order",
    "path",
    "plain",
    "proxy_url",
    "query",
    "retry_after",
    "segment",
    "text",
    "whole",
]
