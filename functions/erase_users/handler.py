"""SQS, and the hourly round -> erasures and exports."""

from collections.abc import Callable, Mapping, Sequence
from itertools import batched
from typing import Any, Final

from functions.erase_users.dependencies import dependencies
from personalization.adapters.sqs import wanted
from personalization.erasure import Pending, is_due, requested
from personalization.errors import AttuneError
from personalization.names import Metric
from personalization.ports import ErasureRequest, ExportRequest
from personalization.runtime.clock import now
from personalization.runtime.observability import count, logger, seconds, worker

_TO_SPARE_MS: Final = 60_000
"""Left of an invocation when no more is begun: a chunk and the notes take less."""
_TOGETHER: Final = 10


@worker
def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Work messages off, together; without messages, make the hourly round.

    What fails comes again as a message does, and the round takes up what no message is left of.
    """

    def go_on() -> bool:
        return bool(context.get_remaining_time_in_millis() > _TO_SPARE_MS)

    if "Records" not in event:
        return {"repeated": _go_round(go_on)}
    failed: set[str] = set()
    erasures: dict[str, ErasureRequest] = {}
    exports: dict[str, ExportRequest] = {}
    for record in event["Records"]:
        name = record["messageId"]
        try:
            request = wanted(record["body"])
        except AttuneError:
            logger.exception("a message can't be read", message_id=name)
            failed.add(name)
        else:
            if isinstance(request, ErasureRequest):
                erasures[name] = request
            else:
                exports[name] = request
    if not _attempt(lambda: _erase(list(erasures.values()), go_on)):
        failed |= erasures.keys()
    if not _attempt(lambda: _gather(list(exports.values()), go_on)):
        failed |= exports.keys()
    return {"batchItemFailures": [{"itemIdentifier": name} for name in sorted(failed)]}


def _attempt(work: Callable[[], bool]) -> bool:
    """Tell whether the work was done; what fails of one kind leaves the other alone."""
    try:
        return work()
    except AttuneError:
        logger.exception("the work failed")
        return False


def _erase(requests: Sequence[ErasureRequest], go_on: Callable[[], bool]) -> bool:
    worker = dependencies().worker
    people = []
    for request in dict.fromkeys(requests):
        worker.log.open(request, requested(request))
        pending = worker.log.pending(request)
        if pending is not None and pending.completed_at is None:
            people.append(pending)
    return _work(people, go_on, again=False)


def _go_round(go_on: Callable[[], bool]) -> int:
    """Work off what is due; return how many erasures there were."""
    due = [one for one in dependencies().worker.log.all_pending() if is_due(one, now())]
    left_undone = [one for one in due if one.completed_at is None]
    done_once = [one for one in due if one.completed_at is not None]
    done = 0
    for chosen, again in ((left_undone, False), (done_once, True)):
        for people in batched(chosen, _TOGETHER, strict=False):
            if not _work(people, go_on, again=again):
                return done
            done += len(people)
    return done


def _work(people: Sequence[Pending], go_on: Callable[[], bool], *, again: bool) -> bool:
    done = not people or dependencies().worker.work(people, again=again, go_on=go_on)
    if done and not again:
        count(Metric.USERS_ERASED, len(people))
        for one in people:
            seconds(Metric.ERASURE_TIME, max(0.0, now().timestamp() - one.requested_at))
    return done


def _gather(requests: Sequence[ExportRequest], go_on: Callable[[], bool]) -> bool:
    dependencies().gatherer.gather(requests, go_on=go_on)
    return True
