"""Many requests: `OpenRouter.map` over anything that can be iterated, and jobs over files.

The rule of this file: the names that users import, and nothing else.

>>> from openrouter_async import OpenRouter, batch
>>> async def example(client: OpenRouter) -> None:
...     job = batch.Job("texts.csv", "out.jsonl", template="Summarise: {text}", budget=5)
...     print(await job.run(client))
...     print(batch.report("out.jsonl"))
"""

from ._job import Job
from ._map import MapCursor, MapResult, MapRun
from ._progress import JobProgress, JobSummary
from ._report import Failure, Report, Share, report
from ._request import ChatRequest, Request
from ._row import Row, RowError

__all__ = [
    "ChatRequest",
    "Failure",
    "Job",
    "JobProgress",
    "JobSummary",
    "MapCursor",
    "MapResult",
    "MapRun",
    "Report",
    "Request",
    "Row",
    "RowError",
    "Share",
    "report",
]
