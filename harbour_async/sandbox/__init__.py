"""A real HTTP server that behaves as Harbour's guide v2.2 says, for tests and demonstrations.

It shares no code with the client, so that a misreading of the guide in one is noticed by the other.
"""

from harbour_async.sandbox._arrivals import Arrival
from harbour_async.sandbox._server import Sandbox

__all__ = ["Arrival", "Sandbox"]
