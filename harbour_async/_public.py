"""The public names, from where they live; `harbour_async` hands them out."""

from harbour_async._decoding import (
    WireConverter as WireConverter,
    from_dict as from_dict,
    from_json as from_json,
    to_dict as to_dict,
    to_json as to_json,
)
from harbour_async._response import (
    Response as Response,
)
from harbour_async.budget import (
    Budget as Budget,
    BudgetSnapshot as BudgetSnapshot,
    RedisBudget as RedisBudget,
)
from harbour_async.errors import (
    APIConnectionError as APIConnectionError,
    APIStatusError as APIStatusError,
    APITimeoutError as APITimeoutError,
    AuthenticationError as AuthenticationError,
    BadRequestError as BadRequestError,
    ConfigurationError as ConfigurationError,
    ConflictError as ConflictError,
    DeadlineExceededError as DeadlineExceededError,
    DecodeError as DecodeError,
    HarbourError as HarbourError,
    IncompleteListingError as IncompleteListingError,
    InternalServerError as InternalServerError,
    NotFoundError as NotFoundError,
    PermissionDeniedError as PermissionDeniedError,
    RateLimitError as RateLimitError,
    RequestInfo as RequestInfo,
    ResponseTooLargeError as ResponseTooLargeError,
    SessionClosedError as SessionClosedError,
    UnprocessableEntityError as UnprocessableEntityError,
)
from harbour_async.models import (
    InvalidRecord as InvalidRecord,
    Page as Page,
    Verification as Verification,
    VerificationReceipt as VerificationReceipt,
    VerificationResult as VerificationResult,
    VerificationStatus as VerificationStatus,
    VerificationSubStatus as VerificationSubStatus,
    VerificationSubtype as VerificationSubtype,
    VerificationTier as VerificationTier,
    VerificationType as VerificationType,
    Webhook as Webhook,
    WebhookEvent as WebhookEvent,
    WebhookEventType as WebhookEventType,
    WebhookReceipt as WebhookReceipt,
)
from harbour_async.pagination import (
    Pager as Pager,
    PagingReport as PagingReport,
)
from harbour_async.session import (
    HarbourSession as HarbourSession,
)
from harbour_async.settings import (
    Network as Network,
    Priority as Priority,
    RateLimit as RateLimit,
    Retry as Retry,
    Timeout as Timeout,
)
