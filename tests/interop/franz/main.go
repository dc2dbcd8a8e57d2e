// franz BOOTSTRAP: what franz-go is promised of transactions. One line for each check, `ok NAME` or `FAIL NAME: why`; exit status 1
// if any failed. Apache Kafka passes all of them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var bootstrap string
var admin *kadm.Client

func main() {
	bootstrap = os.Args[1]
	client := must(kgo.NewClient(kgo.SeedBrokers(bootstrap)))
	defer client.Close()
	admin = kadm.NewClient(client)
	checks := []struct {
		name string
		run  func(context.Context) error
	}{
		{"a commit shows the records, an abort hides them", commitAndAbort},
		{"one transaction over several partitions", manyPartitions},
		{"a second producer with the same id fences the first", fencing},
		{"offsets of a transaction count after its commit", offsets},
		{"consume, transform, produce by a group of three: each record once", transform},
		{"a transaction that takes too long is aborted", timeout},
	}
	var running sync.WaitGroup
	var lock sync.Mutex
	failures := 0
	for _, check := range checks {
		running.Add(1)
		go func() {
			defer running.Done()
			ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
			defer cancel()
			err := check.run(ctx)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				failures++
				fmt.Printf("FAIL %s: %v\n", check.name, err)
			} else {
				fmt.Printf("ok %s\n", check.name)
			}
		}()
	}
	running.Wait()
	if failures > 0 {
		os.Exit(1)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

var names struct {
	sync.Mutex
	last int
}

func fresh(stem string) string {
	names.Lock()
	defer names.Unlock()
	names.last++
	return fmt.Sprintf("franz-%s-%d-%d", stem, os.Getpid(), names.last)
}

func topic(ctx context.Context, partitions int32) (string, error) {
	name := fresh("topic")
	_, err := admin.CreateTopic(ctx, partitions, 1, nil, name)
	return name, err
}

func producer(id string, more ...kgo.Opt) (*kgo.Client, error) {
	options := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	return kgo.NewClient(append(options, more...)...)
}

func send(ctx context.Context, client *kgo.Client, topic string, partition int32, values ...string) error {
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// transaction sends one record in a transaction of its own.
func transaction(ctx context.Context, client *kgo.Client, topic string, value string, end kgo.TransactionEndTry) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := send(ctx, client, topic, 0, value); err != nil {
		return err
	}
	return client.EndTransaction(ctx, end)
}

// lastStable asks until it is told: a new topic's leader may not be known yet.
func lastStable(ctx context.Context, topic string, partition int32) (int64, error) {
	for {
		ends, err := admin.ListCommittedOffsets(ctx, topic)
		if err != nil {
			return 0, err
		}
		if end, found := ends.Lookup(topic, partition); found && end.Err == nil {
			return end.Offset, nil
		}
	}
}

// committed reads the partition up to its last stable offset.
func committed(ctx context.Context, topic string, partition int32) ([]string, error) {
	stable, err := lastStable(ctx, topic, partition)
	if err != nil {
		return nil, err
	}
	start := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(start), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	values := []string{}
	for next := int64(0); next < stable; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			next = record.Offset + 1
			if !record.Attrs.IsControl() {
				values = append(values, string(record.Value))
			}
		})
	}
	return values, nil
}

// holds waits until the partition holds just these, as far as it is committed: a commit is answered before its markers are written.
func holds(ctx context.Context, topic string, partition int32, expected ...string) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		values, err := committed(ctx, topic, partition)
		if err != nil {
			return err
		}
		if slices.Equal(values, expected) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("partition %d holds %v instead of %v", partition, values, expected)
		}
	}
}

func commitAndAbort(ctx context.Context) error {
	topic, err := topic(ctx, 1)
	if err != nil {
		return err
	}
	client, err := producer(fresh("txn"))
	if err != nil {
		return err
	}
	defer client.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := transaction(ctx, client, topic, fmt.Sprint("v", i), end); err != nil {
			return err
		}
	}
	return holds(ctx, topic, 0, "v0", "v2")
}

func manyPartitions(ctx context.Context) error {
	topic, err := topic(ctx, 5)
	if err != nil {
		return err
	}
	client, err := producer(fresh("txn"))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	for p := range int32(5) {
		if err := send(ctx, client, topic, p, "a", "b"); err != nil {
			return err
		}
		if err := holds(ctx, topic, p); err != nil {
			return err
		}
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	for p := range int32(5) {
		if err := holds(ctx, topic, p, "a", "b"); err != nil {
			return err
		}
	}
	return nil
}

func fencing(ctx context.Context) error {
	topic, err := topic(ctx, 1)
	if err != nil {
		return err
	}
	id := fresh("fenced")
	first, err := producer(id)
	if err != nil {
		return err
	}
	defer first.Close()
	if err := first.BeginTransaction(); err != nil {
		return err
	}
	if err := send(ctx, first, topic, 0, "of the first"); err != nil {
		return err
	}
	second, err := producer(id)
	if err != nil {
		return err
	}
	defer second.Close()
	if err := transaction(ctx, second, topic, "of the second", kgo.TryCommit); err != nil {
		return err
	}
	err = send(ctx, first, topic, 0, "too late")
	if err == nil {
		err = first.EndTransaction(ctx, kgo.TryCommit)
	}
	if !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
		return fmt.Errorf("the first was told %v", err)
	}
	return holds(ctx, topic, 0, "of the second")
}

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

func timeout(ctx context.Context) error {
	topic, err := topic(ctx, 1)
	if err != nil {
		return err
	}
	client, err := producer(fresh("slow"), kgo.TransactionTimeout(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := send(ctx, client, topic, 0, "too slow"); err != nil {
		return err
	}
	for {
		stable, err := lastStable(ctx, topic, 0)
		if err != nil {
			return err
		}
		// The record and the marker of its abort.
		if stable == 2 {
			break
		}
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err == nil {
		return errors.New("committed after the abort")
	}
	return holds(ctx, topic, 0)
}
