// Transactions of groups' offsets.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func offsets(ctx context.Context) error {
	from, err := topic(ctx, 1)
	if err != nil {
		return err
	}
	group := fresh("group")
	plain := must(kgo.NewClient(kgo.SeedBrokers(bootstrap)))
	defer plain.Close()
	for _, value := range []string{"a", "b"} {
		if err := plain.ProduceSync(ctx, &kgo.Record{Topic: from, Value: []byte(value)}).FirstErr(); err != nil {
			return err
		}
	}
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(fresh("txn")),
			kgo.ConsumerGroup(group), kgo.ConsumeTopics(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RequireStableFetchOffsets())
		if err != nil {
			return err
		}
		read := 0
		for read < 2 {
			fetches := session.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				session.Close()
				return err
			}
			read += fetches.NumRecords()
		}
		if err := session.Begin(); err != nil {
			session.Close()
			return err
		}
		ended, err := session.End(ctx, end)
		session.Close()
		if err != nil {
			return err
		}
		if ended != bool(end) {
			return fmt.Errorf("the transaction's end was %v", ended)
		}
		found, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return err
		}
		offset, isThere := found.Lookup(from, 0)
		if isThere != bool(end) || (isThere && offset.At != 2) {
			return fmt.Errorf("after %v the offset is %v", end, offset.At)
		}
	}
	return nil
}

// staleMember commits offsets as a member that is no longer in the group.
func staleMember(ctx context.Context) error {
	from, err := topic(ctx, 1)
	if err != nil {
		return err
	}
	group := fresh("group")
	member, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(from),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.DefaultProduceTopic(from))
	if err != nil {
		return err
	}
	defer member.Close()
	if err := member.ProduceSync(ctx, kgo.StringRecord("a")).FirstErr(); err != nil {
		return err
	}
	if err := member.PollFetches(ctx).Err(); err != nil {
		return err
	}
	id, generation := member.GroupMetadata()
	if err := member.LeaveGroupContext(ctx); err != nil {
		return err
	}
	client, err := producer(fresh("txn"))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := begin(ctx, client, from, "x"); err != nil {
		return err
	}
	pid, epoch, err := client.ProducerID(ctx)
	if err != nil {
		return err
	}
	request := kmsg.NewPtrTxnOffsetCommitRequest()
	request.TransactionalID, request.ProducerID, request.ProducerEpoch = client.OptValue(kgo.TransactionalID).(string), pid, epoch
	request.Group, request.MemberID, request.Generation = group, id, generation
	offset := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	offset.Offset = 1
	request.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: from, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{offset}}}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	told := kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
	if !errors.Is(told, kerr.UnknownMemberID) && !errors.Is(told, kerr.IllegalGeneration) {
		return fmt.Errorf("it was told %v", told)
	}
	return client.EndTransaction(ctx, kgo.TryAbort)
}

const transformed = 600

func transform(ctx context.Context) error {
	from, err := topic(ctx, 6)
	if err != nil {
		return err
	}
	to, err := topic(ctx, 6)
	if err != nil {
		return err
	}
	plain := must(kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())))
	defer plain.Close()
	for i := range transformed {
		record := &kgo.Record{Topic: from, Partition: int32(i % 6), Value: []byte(fmt.Sprint(i))}
		plain.Produce(ctx, record, nil)
	}
	if err := plain.Flush(ctx); err != nil {
		return err
	}
	group := fresh("group")
	work, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	var trouble atomic.Value
	for range 3 {
		running.Add(1)
		go func() {
			defer running.Done()
			worker(work, from, to, group, &trouble)
		}()
	}
	defer running.Wait()
	defer stop()
	for {
		if ctx.Err() != nil {
			return fmt.Errorf("not all are there; the last trouble was %v", trouble.Load())
		}
		seen := map[string]int{}
		for p := range int32(6) {
			values, err := committed(ctx, to, p)
			if err != nil && ctx.Err() == nil {
				return err
			}
			for _, value := range values {
				seen[value]++
			}
		}
		for value, times := range seen {
			if times > 1 {
				return fmt.Errorf("%s is there %d times", value, times)
			}
		}
		if len(seen) == transformed {
			return nil
		}
	}
}

// worker copies records, a few in each transaction; every third transaction is given up.
func worker(ctx context.Context, from, to, group string, trouble *atomic.Value) {
	session := must(kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(fresh("txn")),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RequireStableFetchOffsets(),
		kgo.RecordPartitioner(kgo.ManualPartitioner())))
	defer session.Close()
	for turn := 0; ctx.Err() == nil; turn++ {
		fetches := session.Client().PollRecords(ctx, 20)
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := session.Begin(); err != nil {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(ctx, &kgo.Record{Topic: to, Partition: record.Partition, Value: record.Value}, nil)
		})
		if _, err := session.End(ctx, kgo.TransactionEndTry(turn%3 != 1)); err != nil && ctx.Err() == nil {
			trouble.Store(err.Error())
		}
	}
}
