"""Profiles, lists and the catalogue in one DynamoDB table.

Every write that could overtake another carries a condition. Throttling and server faults that outlast
botocore's retries become `Unavailable`; anything else DynamoDB refuses is a defect and flies.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from personalization import keys
from personalization.adapters.faults import UNREACHABLE
from personalization.consent import Standing, Word
from personalization.errors import Conflict, CorruptData, InvalidInput, Unavailable
from personalization.events import Item
from personalization.experiment_results import ExperimentResults, decode_results, encode_results
from personalization.keys import Key
from personalization.ledger import CreditedItems, Mark, SeenIds
from personalization.lists import RecommendationList, decode_list, encode_list
from personalization.names import Consent
from personalization.ports import ActiveModel, ItemChange, Snapshot, UserState
from personalization.profile_encoding import decode, encode
from personalization.profiles import Profile, at_seconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef

PROFILE_RETENTION: Final = timedelta(days=395)
MAX_BATCH_GET: Final = 100
READ_ATTEMPTS: Final = 4
"""Calls at most for keys that DynamoDB leaves unread, which is how it throttles a batch."""
_PAUSE_SECONDS: Final = 0.05
_TRANSIENT: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
        "TransactionInProgressException",
        "KMSThrottlingException",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    }
)
_OVERTAKEN: Final = frozenset(
    {
        "ConditionalCheckFailedException",
        "ConditionalCheckFailed",
        "TransactionConflictException",
        "TransactionConflict",
    }
)
"""Each as a call's error, and as the reason why a transaction was cancelled."""
Record = Mapping[str, Any]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _OVERTAKEN or _OVERTAKEN & _cancelled(error):
            raise Conflict(code) from None
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code in _TRANSIENT or _TRANSIENT & _cancelled(error) or status >= 500:
            raise Unavailable(code) from error
        raise
    except UNREACHABLE as error:
        raise Unavailable(type(error).__name__) from error


def _cancelled(error: ClientError) -> frozenset[str]:
    """Why a transaction was cancelled; empty for any other error."""
    reasons: Sequence[Record] = error.response.get("CancellationReasons", ())
    return frozenset(reason.get("Code", "None") for reason in reasons)


def _primary(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


class _Table:
    def __init__(
        self, client: "DynamoDBClient", table_name: str, *, read_attempts: int = READ_ATTEMPTS
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._read_attempts = read_attempts

    def _get(self, wanted: Iterable[Key], *, consistent: bool, only: Sequence[str] = ()) -> dict[Key, Record]:
        """Read records by key, or `only` some attributes, in as few calls as allowed: one per 100 keys."""
        found: dict[Key, Record] = {}
        request: KeysAndAttributesTypeDef = {"Keys": [], "ConsistentRead": consistent}
        if only:
            names = {f"#{number}": name for number, name in enumerate(("pk", "sk", *only))}
            request["ProjectionExpression"] = ",".join(names)
            request["ExpressionAttributeNames"] = names
        for chunk in batched(wanted, MAX_BATCH_GET, strict=False):
            pending: list[Any] = [_primary(key) for key in chunk]
            for attempt in range(self._read_attempts):
                if attempt:
                    # Full jitter: whoever was throttled together does not come back together.
                    time.sleep(random.uniform(0, _PAUSE_SECONDS * 2**attempt))  # noqa: S311
                with _translated():
                    answer = self._client.batch_get_item(
                        RequestItems={self._table_name: {**request, "Keys": pending}}
                    )
                for record in answer["Responses"].get(self._table_name, []):
                    found[Key(record["pk"]["S"], record["sk"]["S"])] = record
                unprocessed = answer.get("UnprocessedKeys", {}).get(self._table_name)
                if not unprocessed:
                    break
                pending = list(unprocessed["Keys"])
            else:
                raise Unavailable("UnprocessedKeys")
        return found


class DynamoProfileStore(_Table):
    """Profiles with their bookkeeping, one record a user."""

    def erased_at(self, user_keys: Iterable[str]) -> dict[str, int]:
        """Read tombstones, strongly consistent. Cost: one call per 100 users, a unit for 4 KB of each."""
        wanted = {keys.profile_key(user_key): user_key for user_key in user_keys}
        found = self._get(wanted, consistent=True)
        return {wanted[key]: int(row["erased_at"]["N"]) for key, row in found.items() if "erased_at" in row}

    def load(self, user_keys: Iterable[str]) -> dict[str, UserState]:
        """Read states, strongly consistent. Cost: one call per 100 users."""
        wanted = {keys.profile_key(user_key): user_key for user_key in user_keys}
        states = {user_key: UserState() for user_key in wanted.values()}
        for key, record in self._get(wanted, consistent=True).items():
            states[wanted[key]] = _state(record)
        return states

    def standings(self, user_keys: Iterable[str]) -> dict[str, Standing]:
        """Read what users said, eventually consistent. Cost: one call per 100 users, half a unit each 4 KB.

        DynamoDB bills the whole record; the projection spares sending and decoding it.
        """
        wanted = {keys.profile_key(user_key): user_key for user_key in user_keys}
        found = self._get(wanted, consistent=False, only=("consent", "consent_at", "since"))
        return {wanted[key]: _standing(record) for key, record in found.items() if "consent" in record}

    def save(self, user_key: str, state: UserState, *, version: str, now: datetime) -> None:
        """Write a state: one conditional put of one write unit a KB."""
        with _translated():
            self._client.put_item(**self._put(user_key, state, version, now))
        state.version = version

    def save_together(self, states: Mapping[str, UserState], *, version: str, now: datetime) -> None:
        """Write several states in a transaction: two write units a KB, and two for each that was merged."""
        puts = [self._put(user_key, state, version, now) for user_key, state in states.items()]
        puts += [
            {
                "TableName": self._table_name,
                "Item": {
                    **_primary(keys.visitor_key(state.merged_into, user_key)),
                    "expires_at": {"N": str(at_seconds(now + PROFILE_RETENTION))},
                },
            }
            for user_key, state in states.items()
            if state.merged_into
        ]
        with _translated():
            self._client.transact_write_items(TransactItems=[{"Put": put} for put in puts])
        for state in states.values():
            state.version = version

    def visitors(self, user_key: str) -> list[str]:
        """Return the keys merged into a user. Cost: one query a MB, about 10,000 visitors."""
        pk, prefix = keys.visitor_key(user_key, "")
        with _translated():
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": prefix}},
                ConsistentRead=True,
            )
            return [row["sk"]["S"].removeprefix(prefix) for page in pages for row in page["Items"]]

    def forget_visitors(self, user_key: str) -> None:
        """Remove the notes of them. Cost: that of `visitors`, and a write each."""
        for visitor in self.visitors(user_key):
            key = _primary(keys.visitor_key(user_key, visitor))
            with _translated():
                self._client.delete_item(TableName=self._table_name, Key=key)

    def _put(self, user_key: str, state: UserState, version: str, now: datetime) -> Any:
        record: dict[str, Any] = {
            **_primary(keys.profile_key(user_key)),
            "data": {"B": encode(state.profile)},
            "seen": {"B": bytes(state.seen)},
            "credited": {"B": bytes(state.credited)},
            "mark": {"S": str(state.mark)},
            "import_mark": {"S": str(state.import_mark)},
            "refresh_due_at": {"N": f"{state.refresh_due_at:.3f}"},
            "version": {"S": version},
            **_consent_of(state.profile, now),
            **({"erased_at": {"N": str(state.erased_at)}} if state.erased_at else {}),
            **({"merged_into": {"S": state.merged_into}} if state.merged_into else {}),
        }
        guard: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if state.version is not None:
            guard = {
                "ConditionExpression": "#version = :read",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":read": {"S": state.version}},
            }
        return {"TableName": self._table_name, "Item": record, **guard}


def _consent_of(profile: Profile, now: datetime) -> dict[str, Any]:
    """Return consent in the clear, for readers without the profile, and when the record goes by itself.

    A refusal stays: it must not be forgotten while somebody comes back who said no.
    """
    word = profile.consent
    expires_at = {"expires_at": {"N": str(at_seconds(now + PROFILE_RETENTION))}}
    if word is None:
        return expires_at
    kept = {
        "consent": {"S": word.consent},
        "consent_at": {"N": str(word.at)},
        "since": {"N": str(profile.since)},
    }
    return kept | (expires_at if word.consent == Consent.PERSONALIZATION else {})


def _standing(record: Record) -> Standing:
    return Standing(
        Consent(record["consent"]["S"]), int(record["consent_at"]["N"]), int(record["since"]["N"])
    )


def _state(record: Record) -> UserState:
    state = UserState(
        seen=SeenIds(record["seen"]["B"]),
        # Absent from records written before items were credited one by one.
        credited=CreditedItems(record.get("credited", {}).get("B", b"")),
        refresh_due_at=float(record["refresh_due_at"]["N"]),
        version=record["version"]["S"],
        erased_at=int(record.get("erased_at", {}).get("N", 0)),
        merged_into=record.get("merged_into", {}).get("S", ""),
    )
    try:
        state.mark = Mark.parse(record["mark"]["S"])
        state.import_mark = Mark.parse(record["import_mark"]["S"])
        state.profile = decode(record["data"]["B"])
    except CorruptData as error:
        state.unreadable = str(error)
    return state


class DynamoListStore(_Table):
    """Lists, the model in service, and the one-call read of the serving path."""

    def read(self, keys_wanted: Sequence[Key]) -> Snapshot:
        """Read records of any kind in one call; one that can't be read counts as absent."""
        profile = active = None
        merged = False
        unavailable: frozenset[str] = frozenset()
        lists: dict[Key, RecommendationList] = {}
        for key, record in self._get(keys_wanted, consistent=False).items():
            if key == keys.ACTIVE_MODEL:
                active = _active_model(record)
            elif key == keys.UNAVAILABLE_ITEMS:
                unavailable = frozenset(record.get("item_ids", {}).get("SS", ()))
            elif key.sk.startswith(keys.LIST):
                with suppress(CorruptData):
                    lists[key] = decode_list(record["data"]["B"])
            elif record.get("merged_into"):
                merged = True
            else:
                profile = _profile(record)
        return Snapshot(profile, lists, active, unavailable, merged)

    def write_list(self, key: Key, recommendations: RecommendationList, *, expires_at: int) -> bool:
        """Write a list unless the stored one is fresher."""
        try:
            with _translated():
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        **_primary(key),
                        "data": {"B": encode_list(recommendations)},
                        "revision": {"N": str(recommendations.revision)},
                        "built_at": {"N": str(recommendations.built_at)},
                        "expires_at": {"N": str(expires_at)},
                    },
                    ConditionExpression=(
                        "attribute_not_exists(pk) OR revision <= :revision OR built_at < :built_at"
                    ),
                    ExpressionAttributeValues={
                        ":revision": {"N": str(recommendations.revision)},
                        ":built_at": {"N": str(recommendations.built_at)},
                    },
                )
        except Conflict:
            return False
        return True

    def lists_of(self, user_key: str) -> dict[Key, RecommendationList]:
        """Return all lists of a user. Cost: a call for 1 MB, which is hundreds of lists."""
        lists: dict[Key, RecommendationList] = {}
        for record in self._list_records(user_key):
            with suppress(CorruptData):
                lists[Key(record["pk"]["S"], record["sk"]["S"])] = decode_list(record["data"]["B"])
        return lists

    def delete_lists(self, user_key: str, *, built_before: int | None = None) -> int:
        """Delete a user's lists, or those built before a time. Cost: as `lists_of`, and a write a list."""
        condition: dict[str, Any] = {}
        if built_before is not None:
            condition = {
                "ConditionExpression": "built_at < :before",
                "ExpressionAttributeValues": {":before": {"N": str(built_before)}},
            }
        deleted = 0
        for record in self._list_records(user_key):
            with suppress(Conflict), _translated():
                self._client.delete_item(
                    TableName=self._table_name,
                    Key={"pk": record["pk"], "sk": record["sk"]},
                    **condition,
                )
                deleted += 1
        return deleted

    def _list_records(self, user_key: str) -> list[Record]:
        values: dict[str, Any] = {":pk": {"S": keys.profile_key(user_key).pk}, ":lists": {"S": keys.LIST}}
        with _translated():
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :lists)",
                ExpressionAttributeValues=values,
                ConsistentRead=True,
            )
            return [record for page in pages for record in page["Items"]]

    def activate(self, model: ActiveModel, *, instead_of: str | None = None) -> None:
        """Switch the model in service: one write, on condition that a version still is, if one is named."""
        key = keys.ACTIVE_MODEL
        condition: dict[str, Any] = {}
        if instead_of is not None:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"S": instead_of}},
            }
        with _translated():
            self._client.put_item(
                TableName=self._table_name,
                Item={
                    **_primary(key),
                    "version": {"S": model.version},
                    "published_at": {"N": str(model.published_at)},
                    "rolled_back": {"BOOL": model.rolled_back},
                    **({"previous": {"S": model.previous}} if model.previous else {}),
                },
                **condition,
            )


def _profile(record: Record) -> Profile | None:
    """Return a profile; of one that can't be read, the consent, which is honoured all the same."""
    try:
        return decode(record["data"]["B"])
    except CorruptData:
        if "consent" not in record:
            return None
        standing = _standing(record)
        return Profile(consent=Word(standing.at, standing.consent), since=standing.since)


def _active_model(record: Record) -> ActiveModel:
    previous = record.get("previous")
    return ActiveModel(
        version=record["version"]["S"],
        previous=previous["S"] if previous else None,
        published_at=int(record["published_at"]["N"]),
        rolled_back=record.get("rolled_back", {}).get("BOOL", False),
    )


class DynamoExperimentStore(_Table):
    """Results of experiments, one record each, and one set of their names."""

    def results(self, names: Sequence[str]) -> list[ExperimentResults]:
        """Read results; those that can't be read are left out. Cost: one call for 100 experiments."""
        wanted = [keys.experiment_key(name) for name in dict.fromkeys(names)]
        found = self._get(wanted, consistent=True)
        results = []
        for key in wanted:
            if key in found:
                with suppress(CorruptData):
                    results.append(decode_results(found[key]["data"]["B"]))
        return results

    def analyzed(self) -> list[str]:
        """Name the experiments that have results. Cost: one call."""
        record = self._get([keys.ANALYZED_EXPERIMENTS], consistent=False).get(keys.ANALYZED_EXPERIMENTS, {})
        return sorted(record.get("names", {}).get("SS", ()))

    def write_results(self, results: ExperimentResults) -> bool:
        """Write results unless the stored ones are of a later time. Cost: two writes."""
        as_of = {"N": f"{results.as_of.timestamp():.6f}"}
        with _translated():
            self._client.update_item(
                TableName=self._table_name,
                Key=_primary(keys.ANALYZED_EXPERIMENTS),
                UpdateExpression="ADD #names :name",
                ExpressionAttributeNames={"#names": "names"},
                ExpressionAttributeValues={":name": {"SS": [results.experiment]}},
            )
        try:
            with _translated():
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        **_primary(keys.experiment_key(results.experiment)),
                        "data": {"B": encode_results(results)},
                        "as_of": as_of,
                    },
                    ConditionExpression="attribute_not_exists(pk) OR as_of <= :as_of",
                    ExpressionAttributeValues={":as_of": as_of},
                )
        except Conflict:
            return False
        return True


class DynamoCatalog(_Table):
    """Catalogue items, one record each, and one set of the ids that are not available.

    The set changes before the items do: whoever repeats a batch that broke off in between finds the items
    as they were, and changes the set again.
    """

    def put(self, changes: Sequence[ItemChange]) -> int:
        """Apply changes; the set's size bounds unavailable items to about 10,000."""
        stored = self._get({keys.item_key(change.item.item_id) for change in changes}, consistent=True)
        fresh = [change for change in changes if change.mark > _mark_of(stored, change)]
        latest = {change.item.item_id: change for change in fresh}
        switched = [change for change in latest.values() if change.item.available != _was(stored, change)]
        for action, available in (("ADD", False), ("DELETE", True)):
            ids = [change.item.item_id for change in switched if change.item.available is available]
            self._change_set(action, ids)
        for change in latest.values():
            self._put_one(change)
        return len(fresh)

    def items(self, item_ids: Iterable[str]) -> dict[str, Item]:
        """Read items of the catalogue by id; unknown ones are left out."""
        wanted = {keys.item_key(item_id): item_id for item_id in item_ids}
        found = self._get(wanted, consistent=False)
        return {wanted[key]: msgspec.json.decode(row["data"]["B"], type=Item) for key, row in found.items()}

    def _put_one(self, change: ItemChange) -> None:
        record: dict[str, Any] = {
            **_primary(keys.item_key(change.item.item_id)),
            "data": {"B": msgspec.json.encode(change.item)},
            "available": {"BOOL": change.item.available},
            "mark": {"S": str(change.mark)},
        }
        with suppress(Conflict), _translated():
            self._client.put_item(
                TableName=self._table_name,
                Item=record,
                ConditionExpression="attribute_not_exists(pk) OR #mark < :mark",
                ExpressionAttributeNames={"#mark": "mark"},
                ExpressionAttributeValues={":mark": {"S": str(change.mark)}},
            )

    def _change_set(self, action: str, item_ids: Sequence[str]) -> None:
        if not item_ids:
            return
        try:
            with _translated():
                self._client.update_item(
                    TableName=self._table_name,
                    Key=_primary(keys.UNAVAILABLE_ITEMS),
                    UpdateExpression=f"{action} item_ids :ids",
                    ExpressionAttributeValues={":ids": {"SS": list(item_ids)}},
                )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            reason = "too many items are unavailable; delete them from the catalogue instead"
            raise InvalidInput("catalog_full", reason) from error


def _mark_of(stored: Mapping[Key, Record], change: ItemChange) -> Mark:
    record = stored.get(keys.item_key(change.item.item_id))
    return Mark.parse(record["mark"]["S"]) if record else Mark()


def _was(stored: Mapping[Key, Record], change: ItemChange) -> bool:
    """Whether the item was available; one that is not known yet is in no set, as if it was."""
    record = stored.get(keys.item_key(change.item.item_id))
    return bool(record["available"]["BOOL"]) if record else True
