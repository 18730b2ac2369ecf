"""One physical attempt over aiohttp, whose client nothing else knows."""

from aiohttp import TraceConfig

from harbour_async._transport._connections import AttemptState
from harbour_async._transport._transport import Answer, Slot, Transport

__all__ = ["Answer", "AttemptState", "Slot", "TraceConfig", "Transport"]
