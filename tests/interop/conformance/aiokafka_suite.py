"""Checks of a running server through aiokafka, which has a group membership of its own, in the classic protocol.
usage: aiokafka_suite.py BOOTSTRAP"""
import asyncio
import functools
import logging
import re
import subprocess
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

import checklib
from checklib import uid

B = sys.argv[1]
ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}
SESSION_MS = 3000
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def check(*params):
    """A check is given an admin client, and then its parameters."""
    def of(fn):
        @functools.wraps(fn)
        def sync(*args):
            async def whole():
                admin = AIOKafkaAdminClient(bootstrap_servers=B)
                await admin.start()
                try:
                    await fn(admin, *args)
                finally:
                    await admin.close()
            asyncio.run(whole())
        return checklib.check(*params)(sync)
    return of


async def topic(admin, partitions=1, records=0, name=None):
    """A topic with that many records in each partition."""
    name = name or uid("aio")
    answer = await admin.create_topics([NewTopic(name, partitions, 1)])
    assert answer.topic_errors[0][1] == 0, answer
    if records:
        async with AIOKafkaProducer(bootstrap_servers=B) as producer:
            for i in range(records * partitions):
                await producer.send(name, b"v%d" % i, partition=i % partitions)
    return name


class Member(AIOKafkaConsumer):
    """A consumer whose leaving of `async with` is its orderly end."""

    def __init__(self, *topics, group, assignors=("range",), **more):
        config = dict(session_timeout_ms=SESSION_MS, heartbeat_interval_ms=200, metadata_max_age_ms=1000)
        super().__init__(*topics, bootstrap_servers=B, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
                         partition_assignment_strategy=[ASSIGNORS[name] for name in assignors], **(config | more))

    @property
    def generation(self):
        return self._coordinator.generation

    @property
    def member_id(self):
        return self._coordinator.member_id


async def until(condition, what, seconds=20):
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"timed out: {what}"
        await asyncio.sleep(0.05)


async def owned(count, *members):
    await until(lambda: all(len(member.assignment()) == count for member in members), f"{count} partitions each")
    held = [at for member in members for at in member.assignment()]
    assert len(set(held)) == len(held), f"two owners: {held}"


async def read(member, count):
    return [await asyncio.wait_for(member.getone(), 20) for _ in range(count)]


async def described(admin, group):
    """State, type, the protocol that was chosen, and the members: each id, client id, host, subscription and assignment."""
    [answer] = await admin.describe_consumer_groups([group])
    error, _, state, kind, protocol, members, *_ = answer.groups[0]
    assert error == 0, answer
    return state, kind, protocol, members


async def raising(expected, awaitable):
    try:
        await awaitable
    except expected:
        return
    raise AssertionError(f"no {expected.__name__}")


@check("range", "roundrobin", "sticky")
async def two_share_and_one_takes_over(admin, assignor):
    name, group = await topic(admin, 4, 25), uid("g")
    async with Member(name, group=group, assignors=[assignor]) as first:
        seen = {(record.partition, record.offset) for record in await read(first, 100)}
        assert len(seen) == 100
        await first.commit()
        async with Member(name, group=group, assignors=[assignor]) as second:
            await owned(2, first, second)
            state, kind, protocol, members = await described(admin, group)
            assert (state, kind, protocol, len(members)) == ("Stable", "consumer", assignor, 2)
        await owned(4, first)
    async with AIOKafkaProducer(bootstrap_servers=B) as producer:
        for partition in range(4):
            await producer.send_and_wait(name, b"next", partition=partition)
    async with Member(name, group=group, assignors=[assignor]) as third:
        assert {record.offset for record in await read(third, 4)} == {25}


@check()
async def common_protocol_is_chosen(admin):
    name, group = await topic(admin, 2), uid("g")
    async with Member(name, group=group, assignors=["range", "roundrobin"]) as first:
        async with Member(name, group=group, assignors=["sticky", "roundrobin"]) as second:
            await owned(1, first, second)
            assert (await described(admin, group))[2] == "roundrobin"


@check()
async def no_common_protocol_is_refused(admin):
    name, group = await topic(admin), uid("g")
    async with Member(name, group=group, assignors=["range"]) as first:
        await owned(1, first)
        stranger = Member(name, group=group, assignors=["roundrobin"])
        await raising(errors.InconsistentGroupProtocolError, stranger.start())
        await stranger.stop()
        await owned(1, first)


@check()
async def session_timeout_out_of_bounds_is_refused(admin):
    brief = Member(await topic(admin), group=uid("g"), session_timeout_ms=50, heartbeat_interval_ms=10)
    await raising(errors.InvalidSessionTimeoutError, brief.start())
    await brief.stop()


@check()
async def killed_member_is_missed_after_its_session(admin):
    name, group = await topic(admin, 2), uid("g")
    async with Member(name, group=group) as stays:
        killed = subprocess.Popen([sys.executable, __file__, B, "member", name, group])
        try:
            await owned(1, stays)
        finally:
            killed.kill()
            killed.wait()
        assert len((await described(admin, group))[3]) == 2
        await owned(2, stays)


@check()
async def static_member_comes_back_without_a_rebalance(admin):
    name, group = await topic(admin, 2), uid("g")
    async with Member(name, group=group, group_instance_id="other") as other:
        async with Member(name, group=group, group_instance_id="one") as one:
            await owned(1, other, one)
            before = (one.generation, one.assignment())
            former = one.member_id
        async with Member(name, group=group, group_instance_id="one") as one:
            await owned(1, other, one)
            assert (one.generation, one.assignment()) == before
            assert one.member_id != former
            assert other.generation == one.generation


@check()
async def static_member_that_stays_away_is_missed(admin):
    name, group = await topic(admin, 2), uid("g")
    async with Member(name, group=group) as stays:
        async with Member(name, group=group, group_instance_id="one") as one:
            await owned(1, stays, one)
        assert len((await described(admin, group))[3]) == 2
        await owned(2, stays)


@check()
async def second_of_an_instance_fences_the_first(admin):
    name, group = await topic(admin, records=1), uid("g")
    # It shall find out by its commit: by a heartbeat it would take its place back.
    async with Member(name, group=group, group_instance_id="one", session_timeout_ms=30000, heartbeat_interval_ms=20000) as first:
        await read(first, 1)
        async with Member(name, group=group, group_instance_id="one") as second:
            await owned(1, second)
            await second.commit({TopicPartition(name, 0): 1})
            # It has no name for FENCED_INSTANCE_ID.
            await raising(errors.KafkaError, first.commit())


@check()
async def leader_takes_in_new_topics_of_a_pattern(admin):
    stem, group = uid("pattern"), uid("g")
    await topic(admin, 1, name=f"{stem}.a")
    await topic(admin, 1, name=f"{stem}-no")
    async with Member(group=group) as member:
        member.subscribe(pattern=re.escape(stem) + r"\.[a-z]$")
        await owned(1, member)
        await topic(admin, 2, name=f"{stem}.b")
        await owned(3, member)


@check()
async def listener_hears_of_loss_before_gain(admin):
    name, group, told = await topic(admin, 2), uid("g"), []

    class Listener(ConsumerRebalanceListener):
        async def on_partitions_revoked(self, revoked):
            told.append(("-", len(revoked)))

        async def on_partitions_assigned(self, assigned):
            told.append(("+", len(assigned)))

    async with Member(group=group) as first:
        first.subscribe([name], listener=Listener())
        await owned(2, first)
        async with Member(name, group=group) as second:
            await owned(1, first, second)
    assert told[-2:] == [("-", 2), ("+", 1)] or told[-4:-2] == [("-", 2), ("+", 1)], told


@check()
async def members_with_different_subscriptions(admin):
    both, one, group = await topic(admin, 2), await topic(admin, 3), uid("g")
    async with Member(both, group=group) as first, Member(both, one, group=group) as second:
        await until(lambda: (len(first.assignment()), len(second.assignment())) == (1, 4), "a share each")
        assert {at.topic for at in first.assignment()} == {both}


@check()
async def offsets_are_committed_and_listed(admin):
    name, group = await topic(admin, 2, 10), uid("g")
    zero, one = TopicPartition(name, 0), TopicPartition(name, 1)
    async with Member(name, group=group) as member:
        await read(member, 20)
        await member.commit({zero: OffsetAndMetadata(7, "seven"), one: 3})
        assert await member.committed(zero) == 7
    listed = await admin.list_consumer_group_offsets(group)
    assert (listed[zero].offset, listed[zero].metadata) == (7, "seven"), listed
    assert listed[one].offset == 3, listed


@check()
async def commit_after_the_end_of_membership_is_refused(admin):
    name, group = await topic(admin, records=1), uid("g")
    async with Member(name, group=group) as member:
        await read(member, 1)
        async with Member(group=group) as stranger:
            stranger.assign([TopicPartition(name, 0)])
            await raising(errors.KafkaError, stranger.commit({TopicPartition(name, 0): 1}))
        await member.commit()


@check()
async def metadata_of_a_commit_has_its_limit(admin):
    at = TopicPartition(await topic(admin), 0)
    async with Member(group=uid("g")) as member:
        member.assign([at])
        await raising(errors.OffsetMetadataTooLargeError, member.commit({at: OffsetAndMetadata(1, "x" * 4097)}))
        await member.commit({at: OffsetAndMetadata(1, "x" * 4096)})


@check()
async def group_that_only_commits(admin):
    at, group = TopicPartition(await topic(admin), 0), uid("g")
    async with Member(group=group) as member:
        member.assign([at])
        await member.commit({at: 5})
        assert await member.committed(at) == 5
    assert (group, "") in {tuple(row[:2]) for row in await admin.list_consumer_groups()}
    assert (await described(admin, group))[0] == "Empty"


@check()
async def offsets_do_not_outlive_their_topic(admin):
    name, group = await topic(admin), uid("g")
    at = TopicPartition(name, 0)
    async with Member(group=group) as member:
        member.assign([at])
        await member.commit({at: 5})
        deleted = await admin.delete_topics([name])
        assert deleted.topic_error_codes[0][1] == 0, deleted
        # Where the member has asked for it meanwhile, it is there already: aiokafka lets brokers make topics.
        await admin.create_topics([NewTopic(name, 1, 1)])

        async def has_none():
            return await member.committed(at) is None
        await until(has_none, "no offset")


@check()
async def group_is_listed_and_empty_when_all_left(admin):
    name, group = await topic(admin), uid("g")
    async with Member(name, group=group, client_id="the-client") as member:
        await owned(1, member)
        state, _, _, members = await described(admin, group)
        assert (state, *members[0][:2]) == ("Stable", member.member_id, "the-client"), members
        assert (group, "consumer") in {tuple(row[:2]) for row in await admin.list_consumer_groups()}
    assert (await described(admin, group))[0] == "Empty"


async def member_until_killed(name, group):
    async with Member(name, group=group):
        await asyncio.Event().wait()


if sys.argv[2:3] == ["member"]:
    asyncio.run(member_until_killed(*sys.argv[3:]))
else:
    checklib.main(int(checklib.os.environ.get("OTTLA_JOBS", "4")))
