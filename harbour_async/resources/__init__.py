"""The API's resources: each method one request of the guide, or a walk over a listing."""

from harbour_async.resources._many import GetMany
from harbour_async.resources._watch import Watch
from harbour_async.resources.verifications import Verifications
from harbour_async.resources.webhooks import Webhooks

__all__ = ["GetMany", "Verifications", "Watch", "Webhooks"]
