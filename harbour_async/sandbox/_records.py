"""The records: seeded, and of every kind the guide's tables name.

A record is the object as the guide shows it alone (``GET .../{id}``), times as epoch
milliseconds. ``_kinds`` decides what a list shows of it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

Record = dict[str, Any]

ORGANIZATION = "ORG-AbCd1234"
EVENT_TYPES = ("verification", "agreement.viewed", "agreement.signed", "agreement.completed")
START = 1683225191102  # the oldest record is as old as the guide's example

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_NAMES = ("John", "Ana", "Grace", "Zoë", "Wei", "Omar", "Priya", "Łukasz")
_LAST_NAMES = ("Doe", "Souza", "O'Neill", "García", "Chen", "Haddad", "Nair", "Nowak")
_CHECKS = (
    "Social Security Number (SSN) Trace",
    "Sex Offender Registry (National with Alias)",
    "National Criminal Database (with Alias)",
    "Global Sanctions and Terrorist Watchlist Check (with Alias)",
    "County level Criminal Record Check (current address)",
    "County level Criminal Record Check (last seven years)",
)
_STEPS = (
    ("ONE_ID_BACKGROUND_CHECK_CREATED", "OneID - Background Check Created"),
    ("SUBMITTED", "Application submitted"),
    ("REPORT_REQUESTED", "Report requested"),
    ("IN_REVIEW", "Application in review"),
    ("PARTIAL", "Application partially returned"),
    ("COMPLETE", "Application completely returned"),
    ("COMPLETE", "Application completely returned"),
    ("ONE_ID_BACKGROUND_CHECK_RETURNED", "OneID - Background Check Returned"),
)


class Case(NamedTuple):
    """One combination that "Verification checks" allows, or that its example shows."""

    type: str
    tier: str | None = None
    subtype: str | None = None
    status: str = "completed"
    result: str | None = "verified"
    sub_status: str | None = None


def _cases() -> Iterator[Case]:
    # "started" and "cancelled" belong to these two types only, "pending" to "in_progress" only.
    unsubmitted = [("started", None), ("cancelled", None)]
    submitted = [("in_progress", "pending"), ("completed", "verified"), ("completed", "rejected")]
    for status, result in unsubmitted + submitted:
        yield Case("enhanced_identity_verification", status=status, result=result)
        for panel in (5, 7, 9, 10):
            yield Case("panel_drug", f"panel {panel}", status=status, result=result)
    # As in the guide's example, whose status is in none of its tables.
    yield Case("enhanced_identity_verification", status="Accepted", result="Verified")
    subtypes = (
        "ssn_id_document_reports",
        "single_state_county_record_check_result",
        "all_state_county_record_check_result",
    )
    for status, result in submitted:
        yield Case("motor_vehicle_record", status=status, result=result)
        for tier in (1, 2, 3):
            for subtype in subtypes[:tier]:
                for level in ("county", "national"):
                    yield Case(
                        "us_criminal_record_check",
                        f"request_us_criminal_record_check_tier_{tier}",
                        subtype,
                        status,
                        result,
                        f"{level}_level_check",
                    )


class Maker:
    """Makes records, and keeps the clock that dates them. The clock never goes back."""

    def __init__(self, seed: int, ties: int = 1) -> None:
        self.random = random.Random(seed)
        self.now = START
        self._seed = seed
        self._ties = ties
        self._machine = False
        self._made = 0
        self._deck = list(_cases())
        self.random.shuffle(self._deck)

    def tick(self, milliseconds: int = 1) -> int:
        """The next moment, in epoch milliseconds: later than all before."""
        self.now += milliseconds
        if self._machine:
            self.now = max(self.now, time.time_ns() // 1_000_000)
        return self.now

    def follow_machine(self) -> None:
        """Date what happens from now on by the machine's clock; the clock never goes back."""
        self._machine = True

    def resume(self, now: int, made: int) -> None:
        """Continue after an earlier run, which made ``made`` verifications until ``now``."""
        self.now = max(self.now, now)
        self._made = made
        self.random.seed(f"{self._seed}/{now}/{made}")  # so that ids are not made twice

    def seeded(self, count: int) -> Iterator[Record]:
        """Outlines of verifications, oldest first; the clock ends behind their last change."""
        latest = self.now
        for n in range(count):
            if n % self._ties == 0:
                self.tick(self.random.randrange(1_000, 600_000))
            record = self._outline(self.now, self.random.randrange(1_000, 3_600_000))
            latest = max(latest, record["updated_at"])
            yield record
        self.now = latest

    def verification(self, created_at: int) -> Record:
        """One verification, not updated since it was created."""
        return _complete(self._outline(created_at, 0))

    def _outline(self, created_at: int, until_updated: int) -> Record:
        """The fields that a list can be ordered by or searched for; they determine the rest.

        Three consecutive verifications belong to one applicant, and fifteen to one link.
        """
        number = self._made
        self._made += 1
        case = self._deck[number % len(self._deck)]
        updated_at = created_at + until_updated
        submitted_at = min(created_at + 1_000, updated_at)
        return {
            "verification_id": f"VERIFICATION-{created_at}_{self._hex()}",
            "result": case.result,
            "status": case.status,
            "verification_type": case.type,
            "verification_subtype": case.subtype,
            "verification_tier": case.tier,
            "is_scan": number % 4 == 1,
            "organization_id": ORGANIZATION,
            "agreement_link_id": f"Ce4hRho4SpV4T{number // 15:08d}",
            "verification_metadata": _metadata(number),
            "updated_at": updated_at,
            "created_at": created_at,
            "sub_status": case.sub_status,
            "last_status_at": updated_at,
            "submitted_at": None if case.status == "started" else submitted_at,
        }

    def webhook(self, created_at: int, destination_url: str | None = None) -> Record:
        """One webhook. It is subscribed to all events, unless it is one of the seeded ones."""
        key = self._hex()
        some = self.random.sample(EVENT_TYPES, self.random.randint(1, len(EVENT_TYPES)))
        mine = destination_url is not None
        return {
            "webhook_id": f"WEBHOOK-{created_at}_{key}" if mine else f"wb_{key}",
            "created_at": created_at,
            "updated_at": created_at,
            "destination_url": destination_url or f"https://hooks.example.com/{key[:8]}",
            "event_types": list(EVENT_TYPES) if mine else some,
            "notification_emails": None if mine else [f"ops+{key[:4]}@example.com"],
            "created_by": None,
            "updated_by": None,
            "service_status": True,
            "organization_id": ORGANIZATION,
        }

    def event(self, webhook: Record) -> Record:
        """One event of a webhook. The guide shows two of its fields; the others are additions."""
        at = self.tick(self.random.randrange(1_000, 60_000))
        return {
            "webhook_id": webhook["webhook_id"],
            "event_datetime": iso(at, self.random.randrange(1_000)),
            "event_id": f"EVENT-{at}_{self._hex()}",
            "event_type": self.random.choice(webhook["event_types"] or EVENT_TYPES),
            "response_status": self.random.choice((200, 200, 200, 202, 500)),
        }

    def _hex(self) -> str:
        return f"{self.random.getrandbits(128):032x}"


def completed(columns: Record, number: int) -> Record:
    """The ``number``-th seeded verification (from 0), made from the columns of its row."""
    metadata = _metadata(number)
    return _complete(
        {**columns, "is_scan": bool(columns["is_scan"]), "verification_metadata": metadata}
    )


def _complete(outline: Record) -> Record:
    """The record, its fields in the guide's order. Its payload depends only on the outline."""
    names = (
        "verification_id", "result", "status", "verification_type", "verification_subtype",
        "verification_tier", "is_scan", "organization_id", "agreement_link_id",
    )  # fmt: skip
    return {
        **{name: outline[name] for name in names},
        "latest_response": _latest_response(outline),
        "verification_metadata": outline["verification_metadata"],
        "updated_at": outline["updated_at"],
        "created_at": outline["created_at"],
        "sub_status": outline["sub_status"],
        "last_status_at": outline["last_status_at"],
        "submitted_at": outline["submitted_at"],
        "verification_details": _details(outline),
    }


def _latest_response(outline: Record) -> Record:
    chance = random.Random(outline["verification_id"])
    steps = _STEPS[: chance.choice((4, 4, 5, 5, 6, 8))]
    if outline["result"] not in (None, "pending"):
        steps = steps[:-1] + _STEPS[-1:]
    date = time.strftime("%Y-%m-%d", time.gmtime(outline["created_at"] // 1000))
    minute = outline["created_at"] // 60_000
    log = [
        {
            "created": f"{date}T00:00:00Z",
            "date_label": date,
            "id": _uuid(chance),
            "modified": f"{date}T00:00:00Z",
            "status": status,
            "status_label": label,
            "time_label": _time_label(minute + step),
        }
        for step, (status, label) in enumerate(steps)
    ]
    return {"account_association_links": [], "activity_log": log}


def _uuid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def iso(milliseconds: int, microseconds: int = 0) -> str:
    """A time as receipts spell it: UTC without a zone, ``2023-05-04T21:33:03.023949``."""
    at = _EPOCH + timedelta(milliseconds=milliseconds, microseconds=microseconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _time_label(minute: int) -> str:
    hour, minute = divmod(minute % 1440, 60)
    return f"{hour % 12 or 12:02d}:{minute:02d}:{'PM' if hour >= 12 else 'AM'}"


def _metadata(number: int) -> Record:
    if number % 10 == 9:
        return {}
    if number % 10 == 8:
        return {"your_internal_user_id": number}
    applicant = number // 3
    first = _FIRST_NAMES[applicant % 8]
    last = _LAST_NAMES[applicant // 8 % 8]
    return {"internal_id": str(applicant + 1), "internal_name": f"{first} {last}"}


def _details(outline: Record) -> Record | None:
    tier = outline["verification_tier"] or ""
    if outline["verification_type"] == "us_criminal_record_check":
        return {"checks": list(_CHECKS[: {"1": 4, "2": 5, "3": 6}[tier[-1]]])}
    if outline["verification_type"] == "panel_drug":
        return {"specimen": "urine", "panel": int(tier.split()[-1])}
    return None
