"""The revisions that services of a batch share: one claim at a time, and one use by each service,
in the table and in memory.
"""

import pytest

from ecs_updater.errors import LedgerError
from ecs_updater.ledger.memory import MemorySharedRevisions
from ecs_updater.ledger.shared_revisions import CLAIM_SECONDS, NO_CLAIM, SharedRevisions
from fakes.memory_dynamodb import SERVER_ERROR

pytest_plugins = ["support.ledger_fixtures"]

KEY, ARN = "0a1b", "arn:aws:ecs:eu-west-1:123456789012:task-definition/app:2"


@pytest.fixture(name="shared", params=["table", "memory"])
def _shared(request, table, clock):
    if request.param == "memory":
        return MemorySharedRevisions(clock)
    return SharedRevisions(table, "b", retention=86_400, clock=clock)


def test_one_update_registers_and_the_others_get_the_revision(shared):
    assert not shared.is_expected(KEY)
    claim = shared.claim(KEY, "first")
    assert (claim.arn, claim.is_own, claim.may_be_registered) == (None, True, False)
    assert shared.is_expected(KEY)
    other = shared.claim(KEY, "second")
    assert (other.arn, other.is_own) == (None, False)
    claim.end(ARN)
    assert shared.is_expected(KEY)
    for holder in ("first", "second"):
        found = shared.claim(KEY, holder)
        assert (found.arn, found.is_own) == (ARN, False)
    assert not shared.is_expected("other") and shared.claim("other", "second").is_own


def test_a_claim_ends_without_a_revision(shared):
    shared.claim(KEY, "first").end()
    assert not shared.is_expected(KEY)
    second = shared.claim(KEY, "second")
    assert second.is_own and second.may_be_registered


def test_a_claim_expires_and_its_holder_cannot_store_the_revision_any_more(shared, clock):
    first = shared.claim(KEY, "first")
    clock.now += CLAIM_SECONDS
    assert shared.is_expected(KEY) and not shared.claim(KEY, "second").is_own
    clock.now += 0.1
    assert not shared.is_expected(KEY)
    second = shared.claim(KEY, "second")
    assert second.is_own and second.may_be_registered
    first.end("late")
    first.end()
    assert not shared.claim(KEY, "third").is_own
    second.end(ARN)
    first.end("late")
    assert shared.claim(KEY, "third").arn == ARN


def test_a_repetition_of_the_holder_goes_on_at_once(shared):
    shared.claim(KEY, "first")
    again = shared.claim(KEY, "first")
    assert again.is_own and again.may_be_registered


def test_an_unusable_revision_is_replaced_by_one_update(shared):
    shared.claim(KEY, "first").end(ARN)
    second = shared.claim(KEY, "second", ARN)
    assert second.is_own and second.may_be_registered
    assert not shared.claim(KEY, "third", ARN).is_own
    second.end("new")
    assert shared.claim(KEY, "third", ARN).arn == "new"


def test_one_update_of_a_service_uses_a_revision(shared):
    assert shared.may_use(KEY, "web", "first") and shared.may_use(KEY, "web", "first")
    assert not shared.may_use(KEY, "web", "second")
    assert shared.may_use(KEY, "api", "second") and shared.may_use("other", "web", "second")


def test_the_end_of_no_claim_has_no_effect():
    NO_CLAIM.end()
    NO_CLAIM.end(ARN)


def test_without_the_table_a_claim_expires(fake, table, clock):
    shared = SharedRevisions(table, "b", retention=86_400, clock=clock)
    claim = shared.claim(KEY, "first")
    fake.fail("UpdateItem", SERVER_ERROR, times=3)
    claim.end(ARN)
    assert shared.claim(KEY, "second").arn is None
    fake.fail("UpdateItem", SERVER_ERROR, times=3)
    with pytest.raises(LedgerError):
        shared.claim(KEY, "second")


def test_the_items_expire(fake, table, clock):
    shared = SharedRevisions(table, "b", retention=60, clock=clock)
    shared.claim(KEY, "first").end(ARN)
    shared.may_use(KEY, "web", "first")
    expires = {sk: int(item["expires"]["N"]) for (_, sk), item in fake.items.items()}
    end = int(clock.now) + 60
    assert expires == {f"REVISION#{KEY}": end, f"REVISION#{KEY}#web": end}
