"""Names that more than one place must spell the same way: metrics, dimensions, surfaces, sources.

Every metric is written as CloudWatch Embedded Metric Format in namespace `NAMESPACE`; unit *Count*
unless said otherwise. The infrastructure builds its alarms and dashboards from these constants.
"""

from enum import StrEnum
from typing import Final

NAMESPACE: Final = "Attune"
DEFAULT_SURFACE: Final = "home"
DEFAULT_LABEL: Final = "Recommended for you"
TITLE: Final = "{title}"
"""Of the item that the user acted on last, in a label."""
RETRY_AFTER_SECONDS: Final = 4
"""The longest that a refused client is asked to wait: about as long as a guard leaves a service alone."""


class Metric(StrEnum):
    """Custom metrics.

    The books: sent = accepted + rejected, and accepted = applied + duplicate + filtered + quarantined.
    """

    EVENTS_ACCEPTED = "EventsAccepted"
    """Events written to the stream (`ingest_events`, `put_items`)."""
    EVENTS_REJECTED = "EventsRejected"
    """Events refused with a reason in the answer (`ingest_events`, `put_items`)."""
    TOKENS_REFUSED = "TokensRefused"
    """Requests of browsers and apps whose token was not let in; the log names the reasons (`authorize`)."""
    EVENTS_APPLIED = "EventsApplied"
    """Events folded into a profile or the catalogue for the first time (`update_profiles`)."""
    EVENTS_DUPLICATE = "EventsDuplicate"
    """Events whose id was seen before, within the window of the last ids (`update_profiles`)."""
    EVENTS_FILTERED = "EventsFiltered"
    """Events kept in the lake only: sent by a bot, later than the late window, received before their user had
    themselves forgotten, or accepted before consent was taken back (`update_profiles`); and those that name
    nobody, for want of consent (`ingest_events`)."""
    EVENTS_QUARANTINED = "EventsQuarantined"
    """Records that can't be processed, kept with their bytes and reason (`update_profiles`)."""
    EVENTS_ARCHIVED = "EventsArchived"
    """Records written to the lake; a retried batch counts again (`archive_events`)."""
    EVENT_LAG = "EventLag"
    """Milliseconds from acceptance to the profile write, of the newest event of a batch."""
    IMPRESSIONS = "Impressions"
    """Items shown from a recommendation, by surface, experiment and variant (`update_profiles`)."""
    CLICKS = "Clicks"
    """Clicks on items shown from a recommendation, same dimensions (`update_profiles`)."""
    CONVERSIONS = "Conversions"
    """Purchases of items shown from a recommendation, same dimensions (`update_profiles`)."""
    REVENUE = "Revenue"
    """What those purchases brought in, in the shop's currency, no unit, same dimensions
    (`update_profiles`)."""
    DWELL = "Dwell"
    """Seconds spent on items shown from a recommendation, same dimensions (`update_profiles`)."""
    EXPERIMENT_LIFT = "ExperimentLift"
    """Relative lift of an experiment's goal over the control, in percent, by experiment and variant
    (`analyze_experiments`)."""
    EXPERIMENT_LIFT_LOW = "ExperimentLiftLow"
    """Lower end of its always-valid 95% interval, same dimensions (`analyze_experiments`)."""
    EXPERIMENT_LIFT_HIGH = "ExperimentLiftHigh"
    """Upper end of it, same dimensions (`analyze_experiments`)."""
    EXPERIMENT_P_VALUE = "ExperimentPValue"
    """Always-valid p-value of the lift, no unit, same dimensions (`analyze_experiments`)."""
    SAMPLE_RATIO_P_VALUE = "SampleRatioPValue"
    """Sequential p-value of the share of users each variant got, no unit, by experiment
    (`analyze_experiments`)."""
    EXPERIMENTS_UNREAD = "ExperimentsUnread"
    """Calls for the definitions of experiments that brought nothing to use; the copy before stays in force
    (`get_recommendations`, `refresh_recommendations`)."""
    RECOMMENDATIONS_SERVED = "RecommendationsServed"
    """Answers of `get_recommendations`, by source."""
    ANSWERS_DEGRADED = "AnswersDegraded"
    """Answers given without what was asked for, because it could not be read in time
    (`get_recommendations`, `get_trending`)."""
    EXPOSURES_ARCHIVED = "ExposuresArchived"
    """Exposures written to the lake; a repeated delivery counts again (`archive_exposures`)."""
    EXPOSURES_QUARANTINED = "ExposuresQuarantined"
    """Lines of the exposures' log that can't be read, kept with the reason (`archive_exposures`)."""
    LISTS_REFRESHED = "ListsRefreshed"
    """Lists rebuilt after an act (`refresh_recommendations`)."""
    REFRESH_LAG = "RefreshLag"
    """Milliseconds from asking for a refresh to the lists written (`refresh_recommendations`)."""
    USERS_ERASED = "UsersErased"
    """Users who were forgotten everywhere (`erase_users`)."""
    ERASURE_TIME = "ErasureTime"
    """Seconds from asking to be forgotten to the complete receipt (`erase_users`)."""
    MODEL_AGE = "ModelAge"
    """Seconds since the model in service was put there (`refresh_recommendations`)."""
    LISTS_PUBLISHED = "ListsPublished"
    """Lists written by a publish (`run_training_step`)."""
    MODELS_REFUSED = "ModelsRefused"
    """Models that the gate did not let through; the one in service stays (`run_training_step`)."""
    MODELS_ROLLED_BACK = "ModelsRolledBack"
    """Models that an alarm put back in service (`roll_back_model`)."""
    NIGHTS_STOPPED = "NightsStopped"
    """Nights whose data did not stand the checks before training; the model in service stays
    (`run_training_step`)."""
    MODEL_NDCG = "ModelNdcgAt10"
    """Held-out NDCG@10 of the model that was just evaluated, no unit (`run_training_step`)."""
    CATALOG_COVERAGE = "CatalogCoverage"
    """Share of the catalogue in anyone's list of that model, no unit (`run_training_step`)."""


class Dimension(StrEnum):
    """Metric dimensions; each combination of values is one priced series, so they are few."""

    SERVICE = "service"
    SURFACE = "Surface"
    EXPERIMENT = "Experiment"
    VARIANT = "Variant"
    SOURCE = "Source"


class Source(StrEnum):
    """Where an answer came from: the rungs of the fallback ladder, best first."""

    LIST = "list"
    """The user's own ranked list, built from the profile as it is."""
    STALE_LIST = "stale_list"
    """The user's own list, built before their latest act or by another model than their variant names; a
    refresh is queued."""
    SEGMENT = "segment"
    """What people of the same country and device like."""
    TRENDING = "trending"
    POPULAR = "popular"
    NONE = "none"
    """An empty list: nothing is published yet, or nothing can be read."""


class Degraded(StrEnum):
    """What stands in for records that could not be read in time, best first."""

    SHARED_LISTS = "shared_lists"
    """What all users share, as it is; whose answer it is, is not known."""
    KEPT_LISTS = "kept_lists"
    """What all users share, as this process last read it."""
    PUBLISHED_LISTS = "published_lists"
    """What all users share, as it was when it was last published."""
    NOTHING = "nothing"


class Consent(StrEnum):
    """What a person agreed to, the least strict first."""

    PERSONALIZATION = "personalization"
    """Events make a profile, which answers are made of."""
    FUNCTIONAL = "functional"
    """The service works; events count for trends without saying whose they are."""
    NONE = "none"
    """Nothing is kept but the refusal."""


class Ranker(StrEnum):
    """The ways a user's list can be ordered; a variant of an experiment chooses one."""

    LIGHTGBM = "lightgbm"
    COVISITATION = "covisitation"


class Surface(StrEnum):
    """Surfaces that metrics tell apart; any other name is served alike and counted as `OTHER`."""

    HOME = "home"
    PRODUCT = "product"
    OTHER = "other"
