"""Profiles, lists and the catalogue in one DynamoDB table.

Every write that could overtake another carries a condition. Throttling and server faults that outlast
botocore's retries become `Unavailable`; anything else DynamoDB refuses is a defect and flies.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import ClientError

from personalization import keys
from personalization.adapters.faults import UNREACHABLE
from personalization.errors import Conflict, Unavailable
from personalization.events import Item
from personalization.keys import Key
from personalization.ledger import Mark, SeenIds
from personalization.lists import RecommendationList, decode_list, encode_list
from personalization.ports import ActiveModel, Snapshot, UserState
from personalization.profile_encoding import decode, encode
from personalization.profiles import at_seconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROFILE_RETENTION: Final = timedelta(days=395)
MAX_BATCH_GET: Final = 100
_READ_ATTEMPTS: Final = 5
_TRANSIENT: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
        "TransactionInProgressException",
    }
)
Record = Mapping[str, Any]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ConditionalCheckFailedException":
            raise Conflict(code) from None
        if code in _TRANSIENT:
            raise Unavailable(code) from error
        raise
    except UNREACHABLE as error:
        raise Unavailable(type(error).__name__) from error


def _primary(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


class _Table:
    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def _get(self, wanted: Iterable[Key], *, consistent: bool) -> dict[Key, Record]:
        """Read records by key, in as few calls as the service allows: one per 100 keys."""
        found: dict[Key, Record] = {}
        for chunk in batched(wanted, MAX_BATCH_GET, strict=False):
            pending: list[Any] = [_primary(key) for key in chunk]
            for _ in range(_READ_ATTEMPTS):
                with _translated():
                    answer = self._client.batch_get_item(
                        RequestItems={self._table_name: {"Keys": pending, "ConsistentRead": consistent}}
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

    def load(self, user_keys: Iterable[str]) -> dict[str, UserState]:
        """Read states, strongly consistent. Cost: one call per 100 users."""
        wanted = {keys.profile_key(user_key): user_key for user_key in user_keys}
        states = {user_key: UserState() for user_key in wanted.values()}
        for key, record in self._get(wanted, consistent=True).items():
            mark = Mark.parse(record["mark"]["S"])
            states[wanted[key]] = UserState(
                profile=decode(record["data"]["B"]),
                seen=SeenIds(record["seen"]["B"]),
                mark=mark,
                stored_mark=mark,
                refresh_due_at=float(record["refresh_due_at"]["N"]),
            )
        return states

    def save(self, user_key: str, state: UserState, *, now: datetime) -> None:
        """Write a state: one conditional put of one write unit a KB.

        Raises
        ------
        Conflict
            Somebody else wrote since `load`.
        """
        key = keys.profile_key(user_key)
        record: dict[str, Any] = {
            **_primary(key),
            "data": {"B": encode(state.profile)},
            "seen": {"B": bytes(state.seen)},
            "mark": {"S": str(state.mark)},
            "refresh_due_at": {"N": f"{state.refresh_due_at:.3f}"},
            "expires_at": {"N": str(at_seconds(now + PROFILE_RETENTION))},
        }
        guard: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if state.stored_mark is not None:
            guard = {
                "ConditionExpression": "#mark = :read",
                "ExpressionAttributeNames": {"#mark": "mark"},
                "ExpressionAttributeValues": {":read": {"S": str(state.stored_mark)}},
            }
        with _translated():
            self._client.put_item(TableName=self._table_name, Item=record, **guard)
        state.stored_mark = state.mark


class DynamoListStore(_Table):
    """Lists, the model in service, and the one-call read of the serving path."""

    def read(self, keys_wanted: Sequence[Key]) -> Snapshot:
        """Read records of any kind in one call."""
        profile = active = None
        unavailable: frozenset[str] = frozenset()
        lists: dict[Key, RecommendationList] = {}
        for key, record in self._get(keys_wanted, consistent=False).items():
            if key == keys.ACTIVE_MODEL:
                active = _active_model(record)
            elif key == keys.UNAVAILABLE_ITEMS:
                unavailable = frozenset(record.get("item_ids", {}).get("SS", ()))
            elif key.sk.startswith("LIST#"):
                lists[key] = decode_list(record["data"]["B"])
            else:
                profile = decode(record["data"]["B"])
        return Snapshot(profile, lists, active, unavailable)

    def write_list(self, key: Key, recommendations: RecommendationList, *, expires_at: int) -> bool:
        """Write a list unless the stored one is of a later revision."""
        try:
            with _translated():
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        **_primary(key),
                        "data": {"B": encode_list(recommendations)},
                        "revision": {"N": str(recommendations.revision)},
                        "expires_at": {"N": str(expires_at)},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR revision <= :revision",
                    ExpressionAttributeValues={":revision": {"N": str(recommendations.revision)}},
                )
        except Conflict:
            return False
        return True

    def activate(self, model: ActiveModel) -> None:
        """Switch the model in service: one write, unconditional so that it can also roll back."""
        key = keys.ACTIVE_MODEL
        with _translated():
            self._client.put_item(
                TableName=self._table_name,
                Item={
                    **_primary(key),
                    "version": {"S": model.version},
                    "published_at": {"N": str(model.published_at)},
                    **({"previous": {"S": model.previous}} if model.previous else {}),
                },
            )


def _active_model(record: Record) -> ActiveModel:
    previous = record.get("previous")
    return ActiveModel(
        version=record["version"]["S"],
        previous=previous["S"] if previous else None,
        published_at=int(record["published_at"]["N"]),
    )


class DynamoCatalog(_Table):
    """Catalogue items, one record each, and one set of the ids that are not available."""

    def put(self, items: Sequence[tuple[Item, datetime]]) -> None:
        """Write items; the set's size bounds unavailable items to about 10,000 at 400 KB."""
        for item, updated_at in items:
            self._put_one(item, at_seconds(updated_at))
        latest = {item.item_id: item.available for item, _ in items}
        self._change_set("ADD", [item_id for item_id, available in latest.items() if not available])
        self._change_set("DELETE", [item_id for item_id, available in latest.items() if available])

    def _put_one(self, item: Item, updated_at: int) -> None:
        key = keys.item_key(item.item_id)
        try:
            with _translated():
                self._client.put_item(
                    TableName=self._table_name,
                    Item={
                        **_primary(key),
                        "data": {"B": msgspec.json.encode(item)},
                        "updated_at": {"N": str(updated_at)},
                    },
                    ConditionExpression="attribute_not_exists(pk) OR updated_at <= :updated_at",
                    ExpressionAttributeValues={":updated_at": {"N": str(updated_at)}},
                )
        except Conflict:
            return

    def _change_set(self, action: str, item_ids: Sequence[str]) -> None:
        if not item_ids:
            return
        key = keys.UNAVAILABLE_ITEMS
        with _translated():
            self._client.update_item(
                TableName=self._table_name,
                Key=_primary(key),
                UpdateExpression=f"{action} item_ids :ids",
                ExpressionAttributeValues={":ids": {"SS": list(item_ids)}},
            )
