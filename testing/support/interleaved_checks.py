"""Checks after a run of several processes at once, in any order of their requests.

The serial order is the ledger's: the numbers of the entries. An update counts with its image and
tags unless the ledger says that it was not deployed, was interrupted, or was rolled back.
"""

from collections import Counter

from ecs_updater.ledger.entry import Entry
from ecs_updater.ledger.store import History

from .interleaved_run import APP, TAGS, InterleavedRun, Made

_NO_EFFECT = ("NOT_DEPLOYED", "INTERRUPTED")
_SUCCEEDED, _ROLLED_BACK, _SUPERSEDED = "SUCCEEDED", "ROLLED_BACK", "SUPERSEDED"


def violations(run: InterleavedRun) -> list[str]:
    """What does not hold; empty where all is well."""
    found = list(run.wrong)
    arns = {
        scheduler.service.name: scheduler.service.arn
        for scheduler in run.world.ecs.world.schedulers.values()
    }
    for name, arn in arns.items():
        found += _Service(run, name, arn).violations()
    if still_open := [key for key in run.world.dynamodb.items if key[0] == "OPEN"]:
        found.append(f"the ledger has open entries: {still_open}")
    return found


class _Service:
    """One service in the end: what was asked for, what ECS made, what the ledger says."""

    def __init__(self, run: InterleavedRun, name: str, arn: str):
        self._run, self._name, self._arn, self._wrong = run, name, arn, list[str]()
        self._service = run.world.ecs.world.schedulers[arn].service
        self._intents = {
            intent.request_id: intent for intent in run.intents if intent.service == name
        }
        self._entries: list[Entry] = list(
            reversed(History(run.world.table, clock=run.world.clock.epoch).latest(arn, 50))
        )
        self._made = [made for made in run.made if made.service == name]
        self._by_id: dict[str | None, Made] = {made.id: made for made in self._made}
        self._index = {made.id: number for number, made in enumerate(self._made)}
        self._revisions = {
            revision["taskDefinitionArn"]: revision
            for revision in run.world.ecs.world.task_definitions
        }

    def violations(self) -> list[str]:
        """All of them."""
        self._check_end()
        self._check_results()
        for entry in self._entries:
            self._check_entry(entry)
        self._check_order()
        self._check_images()
        self._check_tags()
        self._check_once()
        return [f"{self._name}: {sentence}" for sentence in self._wrong]

    def _expect(self, is_true: bool, sentence: str) -> None:
        if not is_true:
            self._wrong.append(sentence)

    def _images(self, task_definition_arn: str | None) -> dict[str, str]:
        containers = (
            self._revisions[task_definition_arn]["containerDefinitions"]
            if task_definition_arn
            else []
        )
        return {container["name"]: container["image"] for container in containers}

    # Everything ends.

    def _check_end(self) -> None:
        for entry in self._entries:
            self._expect(entry.is_ended, f"{_name(entry)} is {entry.state}")
        lease = self._run.world.dynamodb.items.get((self._arn, "LEASE"), {})
        is_free = (
            "holder" not in lease or float(lease["expires_at"]["N"]) < self._run.world.clock.epoch()
        )
        self._expect(is_free, f"the lease is held: {lease}")

    # What the callers got agrees with the ledger.

    def _check_results(self) -> None:
        for intent, result in self._run.results:
            if intent.service != self._name:
                continue
            text = str(result.error) if result.error else ""
            self._expect(
                "\n" not in text and (not text or text.startswith("[ERROR][")),
                f"no error for a person: {text!r}",
            )
            entries = [entry for entry in self._entries if entry.request_id == intent.request_id]
            if intent.event.get("dry_run"):
                self._expect(not entries, f"a dry run has an entry: {intent}")
            elif result.answer:
                self._expect(
                    bool(entries),
                    f"{intent.request_id} was answered {result.verdict}, the ledger knows nothing",
                )
                for entry in entries[-1:]:
                    self._check_answer(result.verdict, entry)

    def _check_answer(self, verdict: str, last: Entry) -> None:
        self._expect(
            verdict != _SUCCEEDED or last.verdict == _SUCCEEDED,
            f"{_name(last)} was answered SUCCEEDED, the ledger says {last.verdict}",
        )
        is_open = verdict in ("IN_PROGRESS", "TIMED_OUT") and last.deploys
        self._expect(
            not is_open or last.deployment_id in self._index,
            f"{_name(last)} was answered {verdict}, and has no deployment",
        )

    # The ledger says what happened.

    def _check_entry(self, entry: Entry) -> None:
        if not entry.deploys:
            return
        made, verdict, arn = (
            self._by_id.get(entry.deployment_id),
            entry.verdict,
            entry.after.task_definition_arn,
        )
        self._expect(
            entry.deployment_id is None or (made is not None and made.task_definition_arn == arn),
            f"{_name(entry)} names {entry.deployment_id} of {arn}: {made}",
        )
        if verdict in _NO_EFFECT:
            own = [d for d in self._made if (d.by, d.request_id) == ("update", entry.request_id)]
            others = [
                e for e in self._entries if e.request_id == entry.request_id and e.deployment_id
            ]
            is_right = not own or bool(others) or self._is_hidden(own[-1])
            self._expect(is_right, f"{_name(entry)} is {verdict}, and it made {own}")
            return
        without = f"{_name(entry)} is {verdict} without a deployment: {entry.cause}"
        self._expect(made is not None, without)
        completed = {deployment_id for deployment_id, _ in self._service.completed}
        self._expect(
            verdict != _SUCCEEDED or entry.deployment_id in completed,
            f"{_name(entry)} is SUCCEEDED, and was never complete",
        )
        is_good = self._intents[entry.request_id].is_good
        self._expect(
            verdict not in ("FAILED", _ROLLED_BACK) or not is_good,
            f"{_name(entry)} is {verdict} with a good image: {entry.cause}",
        )
        if verdict == _ROLLED_BACK and entry.rollback_on_failure:
            back = entry.rollback
            by_id = back and self._by_id.get(back.deployment_id)
            right = back and by_id and by_id.task_definition_arn == back.task_definition_arn
            self._expect(bool(right), f"{_name(entry)} is ROLLED_BACK by {back}: {by_id}")
        self._expect(
            verdict != _SUPERSEDED or not made or made != self._made[-1],
            f"{_name(entry)} is SUPERSEDED by nothing",
        )

    def _is_hidden(self, made: Made) -> bool:
        """Whether nothing shows whose deployment it was: of a revision that others had, and
        replaced by somebody else's.

        Known: recovery then takes an interrupted rollback or forced deployment for one that was not
        made.
        """
        is_shared = [other.task_definition_arn for other in self._made].count(
            made.task_definition_arn
        ) > 1
        following = self._made[self._index[made.id] + 1 :]
        return (
            is_shared
            and made.request_id in self._run.interrupted
            and any(later.by != "update" for later in following)
        )

    def _check_order(self) -> None:
        """Deployments came in the order of the entries, and the last one is the last entry's, a
        return or somebody else's.
        """
        order = [self._index[entry.deployment_id] for entry in self._deployed]
        self._expect(
            order == sorted(order), f"the ledger's order is not that of the deployments: {order}"
        )
        last = self._made[-1]
        # Known: who is killed between the deployment of a second plan and its entry leaves the
        # first one in the ledger.
        if last.by == "update" and self._deployed and last.request_id not in self._run.interrupted:
            entry = self._deployed[-1]
            self._expect(
                entry.deployment_id == last.id,
                f"the last deployment is {last}, the last entry is {_name(entry)}",
            )

    @property
    def _deployed(self) -> list[Entry]:
        return [
            entry for entry in self._entries if entry.deploys and entry.deployment_id in self._index
        ]

    # The service is what a serial order of the updates makes of it.

    def _check_images(self) -> None:
        images = self._images(self._made[0].task_definition_arn)
        owners = {entry.deployment_id: entry for entry in self._deployed}
        for made in self._made[1:]:
            now = self._images(made.task_definition_arn)
            entry = owners.get(made.id)
            if entry is None and made.by == "update":
                # Planned again after it, or its caller was never answered: what follows is looked
                # at.
                continue
            if entry and not self._intents[entry.request_id].is_rollback:
                event = self._intents[entry.request_id].event
                images = {
                    **images,
                    **event.get("ecs_container_images", {}),
                    APP: event["ecs_image_name"],
                }
                # Who is killed between its deployment and the second plan does not know of somebody
                # else's any more.
                is_right = now == images or entry.request_id in self._run.interrupted
                self._expect(is_right, f"{_name(entry)} was to run {images}, and runs {now}")
            images = now

    def _check_tags(self) -> None:
        tags: dict[str, str] | None = dict(TAGS)
        for entry in self._entries:
            intent = self._intents[entry.request_id]
            if entry.verdict in _NO_EFFECT:
                continue
            # Else ECS returned it, and the tags were to stay.
            if entry.verdict == _ROLLED_BACK and entry.rollback:
                tags = tags if entry.rollback_tags is None else dict(entry.rollback_tags)
                continue
            if entry.rollback:
                tags = None  # A return that came to nothing: its message says what the tags are.
            elif intent.is_rollback:
                tags = dict(entry.after.tags)
            elif not entry.deploys and entry.before.tags == entry.after.tags:
                continue  # It wrote no tags.
            elif intent.event.get("ecs_tag_mode") != "merge":
                tags = dict(intent.event["ecs_tag"])
            elif tags is not None:
                tags |= intent.event["ecs_tag"]
        if tags is not None:
            self._expect(
                tags == self._service.tags,
                f"the tags are {self._service.tags}, and were to be {tags}",
            )

    def _check_once(self) -> None:
        """One deployment for an intent, and one more for each of somebody else's or of ECS that
        came in between; one return.
        """
        foreign = sum(made.by in ("foreign", "ecs") for made in self._made[1:])
        times = Counter(
            (made.by, made.request_id) for made in self._made if made.by in ("update", "return")
        )
        for (by, request_id), number in times.items():
            most = 1 + (foreign if by == "update" else 0)
            self._expect(number <= most, f"{number} deployments ({by}) for {request_id}")


def _name(entry: Entry) -> str:
    return f"entry {entry.number} of {entry.request_id}"
