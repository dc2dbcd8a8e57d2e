// Transactions of records.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func commitAndAbort(ctx context.Context, codec kgo.CompressionCodec) error {
	topic, client, err := topicAndProducer(ctx, 1, kgo.ProducerBatchCompression(codec))
	if err != nil {
		return err
	}
	defer client.Close()
	// Long enough to be worth compressing.
	values := []string{}
	for i := range 3 {
		values = append(values, strings.Repeat(fmt.Sprint("v", i), 200))
	}
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := transaction(ctx, client, topic, values[i], end); err != nil {
			return err
		}
	}
	if err := holds(ctx, topic, 0, values[0], values[2]); err != nil {
		return err
	}
	// Three records, each with the marker of its transaction's end; what was aborted is there for whoever wants it.
	all, err := read(ctx, topic, 0, kgo.ReadUncommitted(), 6)
	if err == nil && !slices.Equal(all, values) {
		err = fmt.Errorf("there are %v", all)
	}
	return err
}

func manyPartitions(ctx context.Context) error {
	topic, client, err := topicAndProducer(ctx, 5)
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

func manyTopics(ctx context.Context) error {
	client, err := producer(fresh("txn"))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	topics := []string{}
	for range 4 {
		topic, err := topic(ctx, 2)
		if err != nil {
			return err
		}
		for p := range int32(2) {
			if err := send(ctx, client, topic, p, "a"); err != nil {
				return err
			}
		}
		topics = append(topics, topic)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	for _, topic := range topics {
		for p := range int32(2) {
			if err := holds(ctx, topic, p, "a"); err != nil {
				return err
			}
		}
	}
	return nil
}

func manyInARow(ctx context.Context) error {
	topic, client, err := topicAndProducer(ctx, 1)
	if err != nil {
		return err
	}
	defer client.Close()
	expected := []string{}
	for i := range 20 {
		value := fmt.Sprint(i)
		end := kgo.TransactionEndTry(i%3 != 1)
		if err := transaction(ctx, client, topic, value, end); err != nil {
			return err
		}
		if end {
			expected = append(expected, value)
		}
	}
	return holds(ctx, topic, 0, expected...)
}

func openHoldsBack(ctx context.Context) error {
	topic, client, err := topicAndProducer(ctx, 1)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := begin(ctx, client, topic, "open"); err != nil {
		return err
	}
	plain := must(kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())))
	defer plain.Close()
	if err := send(ctx, plain, topic, 0, "plain"); err != nil {
		return err
	}
	stable, err := lastStable(ctx, topic, 0)
	if err != nil {
		return err
	}
	if stable != 0 {
		return fmt.Errorf("the last stable offset is %d with an open transaction at 0", stable)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	return holds(ctx, topic, 0, "open", "plain")
}

func interleaved(ctx context.Context) error {
	topic, err := topic(ctx, 1)
	if err != nil {
		return err
	}
	clients := []*kgo.Client{}
	for range 2 {
		client, err := producer(fresh("txn"))
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.BeginTransaction(); err != nil {
			return err
		}
		clients = append(clients, client)
	}
	expected := []string{}
	for i := range 20 {
		value := fmt.Sprint(i)
		if err := send(ctx, clients[i%2], topic, 0, value); err != nil {
			return err
		}
		if i%2 == 1 {
			expected = append(expected, value)
		}
	}
	for i, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := clients[i].EndTransaction(ctx, end); err != nil {
			return err
		}
	}
	return holds(ctx, topic, 0, expected...)
}

func leftOpen(ctx context.Context) error {
	topic, err := topic(ctx, 1)
	if err != nil {
		return err
	}
	id := fresh("restarted")
	for i, value := range []string{"0", "1", "left open", "3"} {
		client, err := producer(id)
		if err != nil {
			return err
		}
		defer client.Close()
		if i != 2 {
			if err := transaction(ctx, client, topic, value, kgo.TryCommit); err != nil {
				return err
			}
			continue
		}
		if err := client.BeginTransaction(); err != nil {
			return err
		}
		if err := send(ctx, client, topic, 0, value); err != nil {
			return err
		}
	}
	return holds(ctx, topic, 0, "0", "1", "3")
}

func timeoutTooLarge(ctx context.Context) error {
	topic, client, err := topicAndProducer(ctx, 1, kgo.TransactionTimeout(20*24*time.Hour))
	if err != nil {
		return err
	}
	defer client.Close()
	err = transaction(ctx, client, topic, "never", kgo.TryCommit)
	if !errors.Is(err, kerr.InvalidTransactionTimeout) {
		return fmt.Errorf("it was told %v", err)
	}
	return nil
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
	if err := begin(ctx, client, topic, "too slow"); err != nil {
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
