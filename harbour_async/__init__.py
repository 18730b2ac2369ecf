"""The asyncio client for Harbour's API v2.2: agreements and identity verification.

``HarbourSession`` is the way in; everything else here is what it takes, gives or raises.
"""

from harbour_async._decoding import to_dict, to_json
from harbour_async.budget import Budget, BudgetSnapshot, RedisBudget
from harbour_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ConflictError,
    DeadlineExceededError,
    DecodeError,
    HarbourError,
    IncompleteListingError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    SessionClosedError,
    UnprocessableEntityError,
)
from harbour_async.models import (
    Page,
    Verification,
    VerificationReceipt,
    VerificationResult,
    VerificationStatus,
    VerificationSubStatus,
    VerificationSubtype,
    VerificationTier,
    VerificationType,
    Webhook,
    WebhookEvent,
    WebhookEventType,
    WebhookReceipt,
)
from harbour_async.pagination import Pager, PagingReport
from harbour_async.session import HarbourSession
from harbour_async.settings import Priority, RateLimit, Retry, Timeout

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
