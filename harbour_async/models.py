"""The records of the API: every field of the guide under its own name.

Only the id is certain to be there; anything else the server left out or sent as null is None.
Datetimes are aware and in UTC. Enums are open: a value that this version does not know stays a
string. ``extra`` keeps fields that the guide does not name. Records are equal if all their fields
are equal, and hash by their id, so that they can be in sets although they hold dicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, NoReturn, TypeVar, overload

from attrs import Attribute, field, frozen

from harbour_async._record import Record, view
from harbour_async.errors import DecodeError

T = TypeVar("T")

Id = Annotated[str, "never empty"]
Count = Annotated[int, "never negative"]


class VerificationStatus(StrEnum):
    """How far a verification has come. Guide: "Verification status enums"."""

    STARTED = "started"
    CANCELLED = "cancelled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class VerificationResult(StrEnum):
    """How a verification ended. Guide: "Verification result enums".

    Its meaning depends on the check: a drug panel is ``VERIFIED`` if it was negative.
    """

    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"


class VerificationSubStatus(StrEnum):
    """The level of a criminal record check. Guide: "Verification sub status enums"."""

    COUNTY_LEVEL_CHECK = "county_level_check"
    NATIONAL_LEVEL_CHECK = "national_level_check"


class VerificationType(StrEnum):
    """What is checked. Guide: "Verification type enums"."""

    ENHANCED_IDENTITY_VERIFICATION = "enhanced_identity_verification"
    US_CRIMINAL_RECORD_CHECK = "us_criminal_record_check"
    MOTOR_VEHICLE_RECORD = "motor_vehicle_record"
    PANEL_DRUG = "panel_drug"


class VerificationSubtype(StrEnum):
    """What is checked, in more detail. Guide: "Verification subtype enums"."""

    SINGLE_STATE_COUNTY_RECORD_CHECK_RESULT = "single_state_county_record_check_result"
    ALL_STATE_COUNTY_RECORD_CHECK_RESULT = "all_state_county_record_check_result"
    SSN_ID_DOCUMENT_REPORTS = "ssn_id_document_reports"


class VerificationTier(StrEnum):
    """How much is checked; see ``harbour_async.catalog``. Guide: "Verification tier enums"."""

    REQUEST_US_CRIMINAL_RECORD_CHECK_TIER_1 = "request_us_criminal_record_check_tier_1"
    REQUEST_US_CRIMINAL_RECORD_CHECK_TIER_2 = "request_us_criminal_record_check_tier_2"
    REQUEST_US_CRIMINAL_RECORD_CHECK_TIER_3 = "request_us_criminal_record_check_tier_3"
    PANEL_5 = "panel 5"
    PANEL_7 = "panel 7"
    PANEL_9 = "panel 9"
    PANEL_10 = "panel 10"


class WebhookEventType(StrEnum):
    """What a webhook delivers. Guide: "Webhook event type enums"."""

    VERIFICATION = "verification"
    AGREEMENT_VIEWED = "agreement.viewed"
    AGREEMENT_SIGNED = "agreement.signed"
    AGREEMENT_COMPLETED = "agreement.completed"


_IDS = {"verification_id", "webhook_id", "event_id"}


def _hash_by_id(_: type, attributes: list[Attribute[Any]]) -> list[Attribute[Any]]:
    return [a if a.name in _IDS else a.evolve(hash=False) for a in attributes]


@view
@frozen(field_transformer=_hash_by_id)
class Verification(Record):
    """One executed verification check (guide: "The verification object").

    verification_id: its id.
    result, status, sub_status: how it ended, and how far it has come; enums.
    verification_type, verification_subtype, verification_tier: what was checked; enums.
    is_scan: whether it is a scan.
    latest_response: the latest payload of the service that did the check.
    verification_metadata: your own data, passed as URL parameters.
    updated_at, created_at: when the record was last updated, and created.
    agreement_link_id, organization_id: ids of the link and the organization that it belongs to.
    last_status_at: when the last status came in.
    submitted_at: when it was submitted.
    verification_details: details, as the check has them.
    extra: fields that the guide does not name.
    """

    verification_id: Id
    result: VerificationResult | str | None = None
    status: VerificationStatus | str | None = None
    verification_type: VerificationType | str | None = None
    verification_subtype: VerificationSubtype | str | None = None
    verification_tier: VerificationTier | str | None = None
    is_scan: bool | None = None
    latest_response: dict[str, Any] | None = None
    verification_metadata: dict[str, Any] | None = None
    updated_at: datetime | None = None
    created_at: datetime | None = None
    agreement_link_id: str | None = None
    organization_id: str | None = None
    sub_status: VerificationSubStatus | str | None = None
    last_status_at: datetime | None = None
    submitted_at: datetime | None = None
    verification_details: dict[str, Any] | None = None
    extra: dict[str, Any] = field(factory=dict)


@view
@frozen(field_transformer=_hash_by_id)
class Webhook(Record):
    """Where the API delivers events to (guide: "The webhook object").

    ``webhooks.get`` may answer the short form the guide shows under "Get webhook": the id alone,
    with ``event_datetime`` in ``extra`` as it came.

    webhook_id: its id.
    created_at, updated_at: when it was created, and last updated.
    destination_url: where events are delivered to.
    event_types: which events; enums.
    notification_emails: addresses that are notified of failures.
    created_by, updated_by: ids of users.
    service_status: whether it works at present.
    organization_id: the organization's id.
    extra: fields that the guide does not name.
    """

    webhook_id: Id
    created_at: datetime | None = None
    updated_at: datetime | None = None
    destination_url: str | None = None
    event_types: list[WebhookEventType | str] | None = None
    notification_emails: list[str] | None = None
    created_by: str | None = None
    updated_by: str | None = None
    service_status: bool | None = None
    organization_id: str | None = None
    extra: dict[str, Any] = field(factory=dict)


@view
@frozen(field_transformer=_hash_by_id)
class WebhookEvent(Record):
    """One event of a webhook (guide: "List webhook events", "Get webhook event").

    webhook_id: the webhook's id.
    event_id: the event's id.
    event_datetime: when it happened.
    extra: fields that the guide does not name.
    """

    webhook_id: Id
    event_id: Id | None = None
    event_datetime: datetime | None = None
    extra: dict[str, Any] = field(factory=dict)


@view
@frozen(field_transformer=_hash_by_id)
class VerificationReceipt(Record):
    """The answer to a deletion (guide: "Delete verification").

    verification_id: the verification that was deleted.
    event_datetime: when; None if the answer had no body, or was lost.
    extra: fields that the guide does not name.
    """

    verification_id: Id
    event_datetime: datetime | None = None
    extra: dict[str, Any] = field(factory=dict)


@view
@frozen(field_transformer=_hash_by_id)
class WebhookReceipt(Record):
    """The answer to a change (guide: "Create webhook", "Update webhook", "Delete webhook").

    webhook_id: the webhook that was created, updated or deleted.
    event_datetime: when; None if the answer had no body, or was lost.
    extra: fields that the guide does not name.
    """

    webhook_id: Id
    event_datetime: datetime | None = None
    extra: dict[str, Any] = field(factory=dict)


@frozen
class InvalidRecord:
    """A record of a listing that breaks a rule of the wire (``on_invalid="keep"``).

    raw: its JSON text as it came; kept out of the ``repr``, for it is personal data.
    error: the ``DecodeError`` that names the place (``$.items[3].is_scan``).
    record_id, created_at: its id and date if they could be read, else None.
    """

    raw: bytes = field(repr=False)
    error: DecodeError = field(eq=str)
    record_id: str | None = None
    created_at: datetime | None = None


@frozen
class Page(Generic[T]):
    """One page of a listing (guide: "List verifications", "Response Body").

    It can be iterated, counted (``len(page)``) and indexed (``page[0]``, ``page[:5]``) as its
    ``items`` can, so a page without items is false.

    ::

        page = await harbour.verifications.page(1, size=20)
        print(f"{len(page)} of {page.total}", [v.verification_id for v in page])

    items: the records.
    total: how many records the listing has.
    page: the number of this page, from 1.
    size: how many records a page has at most.
    pages: how many pages the listing has.
    extra: fields that the guide does not name.
    """

    items: list[T] = field(hash=False)
    total: Count
    page: Count | None = None
    size: Count | None = None
    pages: Count | None = None
    extra: dict[str, Any] = field(factory=dict, hash=False)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.items[index]

    def keys(self) -> NoReturn:
        """Raise TypeError. Without this method ``dict(page)`` of an empty page would be {}.

        FastAPI makes such a dict of any object that it does not know, and would answer with it.
        """
        raise TypeError("a Page is not a mapping: to_dict(page) makes a dict of it")
