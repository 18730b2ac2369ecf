"""The public names, from where they live; `harbour_async` hands them out."""

from harbour_async._decoding import (
    to_dict as to_dict,
)
from harbour_async._decoding import (
    to_json as to_json,
)
from harbour_async.budget import (
    Budget as Budget,
)
from harbour_async.budget import (
    BudgetSnapshot as BudgetSnapshot,
)
from harbour_async.budget import (
    RedisBudget as RedisBudget,
)
from harbour_async.errors import (
    APIConnectionError as APIConnectionError,
)
from harbour_async.errors import (
    APIStatusError as APIStatusError,
)
from harbour_async.errors import (
    APITimeoutError as APITimeoutError,
)
from harbour_async.errors import (
    AuthenticationError as AuthenticationError,
)
from harbour_async.errors import (
    BadRequestError as BadRequestError,
)
from harbour_async.errors import (
    ConfigurationError as ConfigurationError,
)
from harbour_async.errors import (
    ConflictError as ConflictError,
)
from harbour_async.errors import (
    DeadlineExceededError as DeadlineExceededError,
)
from harbour_async.errors import (
    DecodeError as DecodeError,
)
from harbour_async.errors import (
    HarbourError as HarbourError,
)
from harbour_async.errors import (
    IncompleteListingError as IncompleteListingError,
)
from harbour_async.errors import (
    InternalServerError as InternalServerError,
)
from harbour_async.errors import (
    NotFoundError as NotFoundError,
)
from harbour_async.errors import (
    PermissionDeniedError as PermissionDeniedError,
)
from harbour_async.errors import (
    RateLimitError as RateLimitError,
)
from harbour_async.errors import (
    SessionClosedError as SessionClosedError,
)
from harbour_async.errors import (
    UnprocessableEntityError as UnprocessableEntityError,
)
from harbour_async.models import (
    Page as Page,
)
from harbour_async.models import (
    Verification as Verification,
)
from harbour_async.models import (
    VerificationReceipt as VerificationReceipt,
)
from harbour_async.models import (
    VerificationResult as VerificationResult,
)
from harbour_async.models import (
    VerificationStatus as VerificationStatus,
)
from harbour_async.models import (
    VerificationSubStatus as VerificationSubStatus,
)
from harbour_async.models import (
    VerificationSubtype as VerificationSubtype,
)
from harbour_async.models import (
    VerificationTier as VerificationTier,
)
from harbour_async.models import (
    VerificationType as VerificationType,
)
from harbour_async.models import (
    Webhook as Webhook,
)
from harbour_async.models import (
    WebhookEvent as WebhookEvent,
)
from harbour_async.models import (
    WebhookEventType as WebhookEventType,
)
from harbour_async.models import (
    WebhookReceipt as WebhookReceipt,
)
from harbour_async.pagination import (
    Pager as Pager,
)
from harbour_async.pagination import (
    PagingReport as PagingReport,
)
from harbour_async.session import (
    HarbourSession as HarbourSession,
)
from harbour_async.settings import (
    Priority as Priority,
)
from harbour_async.settings import (
    RateLimit as RateLimit,
)
from harbour_async.settings import (
    Retry as Retry,
)
from harbour_async.settings import (
    Timeout as Timeout,
)
