"""The rate budget: what may be sent, and when (docs/budget.md)."""

from harbour_async.budget._budget import MAX_PAUSE, Budget
from harbour_async.budget._ledger import Ledger
from harbour_async.budget._slot import Slot
from harbour_async.budget._snapshot import BudgetSnapshot, Waiting
from harbour_async.budget.redis import RedisBudget

__all__ = ["MAX_PAUSE", "Budget", "BudgetSnapshot", "Ledger", "RedisBudget", "Slot", "Waiting"]
