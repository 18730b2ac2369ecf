"""One budget for many processes, kept in Redis or Valkey (docs/budget.md, "Many processes")."""

from harbour_async.budget.redis._budget import RedisBudget

__all__ = ["RedisBudget"]
