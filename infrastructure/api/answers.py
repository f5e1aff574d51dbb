"""What the API answers: bodies of success, and of every refusal."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from personalization.experiment_results import Decision
from personalization.guests import GuestId
from personalization.lists import ListItem
from personalization.names import Consent, Degraded, Source

Count = Annotated[int, Meta(ge=0)]
RejectionCode = Literal[
    "too_large",
    "invalid_json",
    "invalid_field",
    "missing_field",
    "unexpected_field",
    "forbidden_type",
    "occurred_in_future",
    "occurred_too_early",
    "not_your_user",
    "invalid_visitor",
    "stream_busy",
    "no_consent",
]


class Rejection(Struct, frozen=True, forbid_unknown_fields=True):
    """Why one entry of a batch was refused; all others were taken."""

    index: Count
    code: RejectionCode
    reason: str


class Receipt(Struct, frozen=True, forbid_unknown_fields=True):
    """Each entry of a batch is accepted or rejected."""

    accepted: Count
    rejected: tuple[Rejection, ...]


class GuestToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A guest: the id for events and paths, and the token that proves it until it expires."""

    user_id: GuestId
    token: str
    expires_at: datetime


class Assignment(Struct, frozen=True, forbid_unknown_fields=True):
    """The variant of an experiment that was shown."""

    experiment: str
    variant: str


class Recommendations(Struct, frozen=True, forbid_unknown_fields=True):
    """Items for one user, best first, and the receipt that events bring back; `degraded` names stand-ins.

    `forced` names variants that were asked for on purpose; `experiments` tells whether definitions were read,
    `consent` what was honoured: without `personalization` the answer is of the request alone, the same for
    all. `degraded` is there if the user's own records could not be read in time: the answer counts for no
    experiment, and without a receipt what comes of it is not attributed.
    """

    recommendation_id: str | None
    label: str
    items: tuple[ListItem, ...]
    source: Source
    model_version: str | None
    assignments: tuple[Assignment, ...]
    experiments: Literal["in_force", "unavailable"]
    consent: Consent
    forced: tuple[Assignment, ...] = ()
    degraded: Degraded | None = None


class ConsentInForce(Struct, frozen=True, forbid_unknown_fields=True):
    """What a user agrees to: answers go by it at once, events within some seconds."""

    consent: Consent
    in_force_within_seconds: Count


class Verdict(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do with one experiment, in one sentence."""

    experiment: str
    surface: str
    as_of: datetime
    started_at: datetime | None
    users: Count
    decision: Decision
    verdict: str


class Experiments(Struct, frozen=True, forbid_unknown_fields=True):
    """The experiments that were analyzed, by name."""

    experiments: tuple[Verdict, ...]


class Trending(Struct, frozen=True, forbid_unknown_fields=True):
    """Items that all users share, best first; `degraded`, where it is there, says that they may be old."""

    items: tuple[ListItem, ...]
    model_version: str | None
    degraded: Degraded | None = None


class Problem(Struct, frozen=True, forbid_unknown_fields=True):
    """A refusal as problem details (RFC 9457), with a stable code."""

    type: Literal["about:blank"]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    code: str
    request_id: str


class GatewayMessage(Struct, frozen=True):
    """What the gateway itself answers, before any function is asked."""

    message: str
