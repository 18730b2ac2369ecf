"""The guide's coverage tables."""

from __future__ import annotations

import pytest

from harbour_async.catalog import PANEL_DRUG_COVERAGE, US_CRIMINAL_RECORD_COVERAGE
from harbour_async.models import VerificationTier


def test_each_tier_is_in_one_table() -> None:
    assert {*US_CRIMINAL_RECORD_COVERAGE, *PANEL_DRUG_COVERAGE} == set(VerificationTier)


def test_higher_tiers_include_lower_ones() -> None:
    assert [len(checks) for checks in US_CRIMINAL_RECORD_COVERAGE.values()] == [4, 5, 6]
    for table in (US_CRIMINAL_RECORD_COVERAGE, PANEL_DRUG_COVERAGE):
        for lower, higher in zip(list(table.values()), list(table.values())[1:], strict=False):
            assert set(lower) < set(higher)


def test_each_panel_covers_its_drugs() -> None:
    assert [len(drugs) for drugs in PANEL_DRUG_COVERAGE.values()] == [4, 7, 9, 10]
    assert PANEL_DRUG_COVERAGE[VerificationTier.PANEL_5] == (
        "Amphetamines",
        "Opiates",
        "Cocaine",
        "Phencyclidine",
    )
    ten = set(PANEL_DRUG_COVERAGE[VerificationTier.PANEL_10])
    assert ten - set(PANEL_DRUG_COVERAGE[VerificationTier.PANEL_9]) == {"Methaqualone"}


def test_the_tables_are_immutable() -> None:
    with pytest.raises(TypeError):
        PANEL_DRUG_COVERAGE[VerificationTier.PANEL_5] = ()  # type: ignore[index]
