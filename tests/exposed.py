"""All that an error can show, for tests that check that it holds no secret."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

HERE = str(Path(__file__).parent)


def exposed_text(error: BaseException) -> str:
    """Everything: text, attributes, pickle, the chain, and the locals of all frames but tests'."""
    parts = [repr(pickle.dumps(error))]
    seen: BaseException | None = error
    while seen is not None:
        parts += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        summary = traceback.TracebackException.from_exception(seen, capture_locals=True)
        parts += [
            repr(frame.locals) for frame in summary.stack if not frame.filename.startswith(HERE)
        ]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)
