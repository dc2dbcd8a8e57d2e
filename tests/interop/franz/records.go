// What the checks share: topics, producers, and what readers see of a partition.
package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// topic makes one, and returns once its partitions are served.
func topic(ctx context.Context, partitions int32) (string, error) {
	name := fresh("topic")
	_, err := admin.CreateTopic(ctx, partitions, 1, nil, name)
	for p := int32(0); err == nil && p < partitions; p++ {
		_, err = lastStable(ctx, name, p)
	}
	return name, err
}

func producer(id string, more ...kgo.Opt) (*kgo.Client, error) {
	options := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	return kgo.NewClient(append(options, more...)...)
}

func topicAndProducer(ctx context.Context, partitions int32, more ...kgo.Opt) (string, *kgo.Client, error) {
	topic, err := topic(ctx, partitions)
	if err != nil {
		return "", nil, err
	}
	client, err := producer(fresh("txn"), more...)
	return topic, client, err
}

func send(ctx context.Context, client *kgo.Client, topic string, partition int32, values ...string) error {
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)})
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}

// begin opens a transaction with one record.
func begin(ctx context.Context, client *kgo.Client, topic string, value string) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	return send(ctx, client, topic, 0, value)
}

// transaction sends one record in a transaction of its own.
func transaction(ctx context.Context, client *kgo.Client, topic string, value string, end kgo.TransactionEndTry) error {
	if err := begin(ctx, client, topic, value); err != nil {
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
	return read(ctx, topic, partition, kgo.ReadCommitted(), stable)
}

// read gives the records before an offset that are not control records.
func read(ctx context.Context, topic string, partition int32, level kgo.IsolationLevel, end int64) ([]string, error) {
	start := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumePartitions(start), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(level))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	values := []string{}
	for next := int64(0); next < end; {
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
