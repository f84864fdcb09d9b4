"""Works one job for some time: bite after bite, each written down, until it is done or somebody has to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from aftersend.core.errors import MalformedFeedback
from aftersend.lists.exporting import exported
from aftersend.lists.importing import imported
from aftersend.lists.job import HOLD, Export, Import, Job, Progress, Request, Revert, State
from aftersend.lists.reverting import undone
from aftersend.lists.shop import Shop

_BITES: Final[dict[type[Request], Callable[[Job, Shop], Iterator[Progress]]]] = {
    Import: imported,
    Export: exported,
    Revert: undone,
}


def work(id_: str, shop: Shop, seconds: float) -> Job | None:
    """Work a job for so many seconds, and one bite longer at most; what it is then. None where there is nothing to do.

    Raises a ServiceError where our side failed, or where somebody else has the job: it must be asked for again. A list
    that cannot be read ends the job as failed, with the reason.
    """
    job = shop.jobs.take(id_, shop.clock())
    if job is None:
        return None
    ends = shop.timer() + seconds
    try:
        for progress in _BITES[type(job.request)](job, shop):
            job = shop.jobs.put(replace(job, progress=progress, held_until=shop.clock() + HOLD))
            if shop.timer() > ends:
                return shop.jobs.put(replace(job, state=State.QUEUED, held_until=None))
    except MalformedFeedback as error:
        return shop.jobs.put(replace(job, state=State.FAILED, held_until=None, why=error.why))
    return shop.jobs.put(replace(job, state=State.DONE, held_until=None))
