"""Write all records of a listing to a file, also over several interrupted runs.

``export`` writes JSON lines, CSV or Parquet; ``batches`` and ``to_arrow`` give Arrow data.
"""

from harbour_async.export._arrow import batches, to_arrow
from harbour_async.export._errors import ExportError
from harbour_async.export._report import ExportReport
from harbour_async.export._run import export

__all__ = ["ExportError", "ExportReport", "batches", "export", "to_arrow"]
