"""The way back to the model before: one write, by an operator or by an alarm."""

from datetime import datetime, timedelta

from personalization import keys
from personalization.errors import ModelError
from personalization.ports import ActiveModel, ListStore
from personalization.profiles import at_seconds


def roll_back(lists: ListStore, *, version: str | None, now: datetime) -> ActiveModel:
    """Activate a version, the previous one by default; rolling back twice returns to where it began.

    Raises
    ------
    ModelError
        No model is in service, there is no previous one, or the version has no lists any more.
    Conflict
        Another model was published meanwhile.
    """
    active = lists.read([keys.ACTIVE_MODEL]).active
    if active is None:
        raise ModelError("no model is in service yet; run the training state machine first")
    return _activate(lists, active, version or active.previous, now)


def roll_back_on_alarm(lists: ListStore, *, now: datetime, within: timedelta) -> ActiveModel:
    """Put the previous model back in service, if the one in service may be to blame for an alarm.

    It may be for so long after its publish; a model that was put back in service is never left for the one it
    came after, so that there is one rollback a publish, however often an alarm rings.

    Raises
    ------
    ModelError
        It stays: the publish is too long ago, was undone already, or can't be undone.
    Conflict
        Another model was published meanwhile.
    """
    active = lists.read([keys.ACTIVE_MODEL]).active
    if active is None:
        raise ModelError("no model is in service yet")
    if active.rolled_back:
        raise ModelError(f"{active.version} was put back in service already")
    if at_seconds(now) - active.published_at > within.total_seconds():
        hours = within.total_seconds() / 3600
        raise ModelError(f"{active.version} is more than {hours:g} hours in service: look for another cause")
    return _activate(lists, active, active.previous, now)


def _activate(lists: ListStore, active: ActiveModel, wanted: str | None, now: datetime) -> ActiveModel:
    if wanted is None:
        raise ModelError(f"{active.version} is the first model; there is none to go back to")
    popular = keys.segment_key(keys.POPULAR, version=wanted)
    if popular not in lists.read([popular]).lists:
        raise ModelError(f"the lists of {wanted} have expired; train again instead")
    model = ActiveModel(wanted, active.version, at_seconds(now), rolled_back=True)
    lists.activate(model, instead_of=active.version)
    return model
