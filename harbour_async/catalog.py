"""What each tier covers: the guide's two coverage tables.

The guide's tables lost their columns. Read right-aligned (a higher tier includes the lower ones),
they fit the names of the tiers, except for the 5 panel, which lists four drugs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from harbour_async.models import VerificationTier as Tier

_CHECKS = (
    "Social Security Number (SSN) Trace",
    "Sex Offender Registry (National with Alias)",
    "National Criminal Database (with Alias)",
    "Global Sanctions and Terrorist Watchlist Check (with Alias)",
    "County level Criminal Record Check and Federal statewide Criminal Search"
    " for provided current address",
    "County level Criminal Record Check and Federal statewide Criminal Search"
    " for the last seven years of the candidate’s address history",  # noqa: RUF001 (as printed)
)

US_CRIMINAL_RECORD_COVERAGE: Final[Mapping[Tier, tuple[str, ...]]] = MappingProxyType(
    {
        Tier.REQUEST_US_CRIMINAL_RECORD_CHECK_TIER_1: _CHECKS[:4],
        Tier.REQUEST_US_CRIMINAL_RECORD_CHECK_TIER_2: _CHECKS[:5],
        Tier.REQUEST_US_CRIMINAL_RECORD_CHECK_TIER_3: _CHECKS,
    }
)
"""Tier → checks, in the guide's words and order ("US Criminal Record - tier coverage")."""

_PANELS = (Tier.PANEL_5, Tier.PANEL_7, Tier.PANEL_9, Tier.PANEL_10)
_DRUGS = {  # drug → in how many of the panels, counted from the largest
    "Amphetamines": 4,
    "Barbiturates": 3,
    "Benzodiazepines": 3,
    "Opiates": 4,
    "Cocaine": 4,
    "Marijuana": 3,
    "Phencyclidine": 4,
    "Propoxyphene": 2,
    "Methadone": 2,
    "Methaqualone": 1,
}

PANEL_DRUG_COVERAGE: Final[Mapping[Tier, tuple[str, ...]]] = MappingProxyType(
    {
        panel: tuple(drug for drug, count in _DRUGS.items() if index + count >= len(_PANELS))
        for index, panel in enumerate(_PANELS)
    }
)
"""Panel → drugs tested for, in the guide's words and order ("Panel Drug - tier coverage")."""
