"""The asyncio client for Harbour's API v2.2: agreements and identity verification.

``HarbourSession`` is the way in; everything else here is what it takes, gives or raises.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harbour_async._public import *

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "Budget",
    "BudgetSnapshot",
    "ConfigurationError",
    "ConflictError",
    "DeadlineExceededError",
    "DecodeError",
    "HarbourError",
    "HarbourSession",
    "IncompleteListingError",
    "InternalServerError",
    "NotFoundError",
    "Page",
    "Pager",
    "PagingReport",
    "PermissionDeniedError",
    "Priority",
    "RateLimit",
    "RateLimitError",
    "RedisBudget",
    "Retry",
    "SessionClosedError",
    "Timeout",
    "UnprocessableEntityError",
    "Verification",
    "VerificationReceipt",
    "VerificationResult",
    "VerificationStatus",
    "VerificationSubStatus",
    "VerificationSubtype",
    "VerificationTier",
    "VerificationType",
    "Webhook",
    "WebhookEvent",
    "WebhookEventType",
    "WebhookReceipt",
    "to_dict",
    "to_json",
]


def __getattr__(name: str) -> Any:
    # The names come when the first is asked for: pytest loads this package at every start, for
    # its plugin, and should not have to load aiohttp with it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    public = import_module("harbour_async._public")
    globals().update({each: getattr(public, each) for each in __all__})
    return globals()[name]


def __dir__() -> list[str]:
    return [*globals(), *__all__]
