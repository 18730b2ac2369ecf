"""The rate budget: what may be sent, and when (DESIGN.md, "Budget"; docs/budget.md)."""

from harbour_async.budget._budget import Budget
from harbour_async.budget._ledger import Slot
from harbour_async.budget._redis_budget import RedisBudget
from harbour_async.budget._snapshot import BudgetSnapshot, Waiting

__all__ = ["Budget", "BudgetSnapshot", "RedisBudget", "Slot", "Waiting"]
