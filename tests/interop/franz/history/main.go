// history ROLE BOOTSTRAP ...: a client of the histories of transactions, by franz-go, until its input ends. What it prints is told
// in tests/e2e/exactly_once/told.rs. One whose library says that it cannot go on ends with status 1.
//
//	move BOOTSTRAP FROM GROUP TO PARTITIONS ID NAME SEED
//	read BOOTSTRAP TOPIC PARTITIONS
//	commit BOOTSTRAP TOPIC GROUP FIRST
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	inputMax     = 5
	recordsMax   = 3
	abortedOneIn = 6
	lookEvery    = 10
	patience     = 15 * time.Second
	aWhile       = 100 * time.Millisecond
)

var bootstrap string
var stopped, stop = context.WithCancel(context.Background())

func main() {
	role, words := os.Args[1], os.Args[3:]
	bootstrap = os.Args[2]
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	roles := map[string]func([]string) error{"move": move, "read": read, "commit": commit}
	if err := roles[role](words); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// say writes to the pipe at once: os.Stdout has no buffer.
func say(words ...any) {
	fmt.Println(words...)
}

func common() []kgo.Opt {
	backoff := func(int) time.Duration { return 50 * time.Millisecond }
	return []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.RetryBackoffFn(backoff), kgo.RequestRetries(200),
		kgo.FetchMaxWait(aWhile), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(20 * time.Millisecond)}
}

func move(words []string) error {
	from, group, to, id, name := words[0], words[1], words[2], words[4], words[5]
	partitions, seed := int32(number(words[3])), number(words[6])
	random := rand.New(rand.NewSource(seed))
	session, err := kgo.NewGroupTransactSession(append(common(), kgo.TransactionalID(id),
		kgo.TransactionTimeout(5*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(from), kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(3*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))...)
	if err != nil {
		return err
	}
	// Fences its predecessor, and ends what that has left open, also where there is no input for it.
	if _, _, err := session.Client().ProducerID(stopped); err != nil && stopped.Err() == nil {
		return err
	}
	for n := 0; stopped.Err() == nil; n++ {
		records := poll(session.PollRecords)
		if len(records) == 0 {
			continue
		}
		if err := transact(session, records, to, partitions, fmt.Sprint(name, "/", n), random); err != nil {
			return err
		}
	}
	session.Close()
	return nil
}

func transact(session *kgo.GroupTransactSession, records []*kgo.Record, to string, partitions int32, name string,
	random *rand.Rand) error {
	say(append([]any{"begin"}, ranges(records)...)...)
	if err := session.Begin(); err != nil {
		return err
	}
	promise := kgo.AbortingFirstErrPromise(session.Client())
	for n := range 1 + random.Intn(recordsMax) {
		for partition := range partitions {
			value := fmt.Sprint(name, "/", partition, "/", n)
			say("send", partition, value)
			record := &kgo.Record{Topic: to, Partition: partition, Value: []byte(value)}
			session.Produce(context.Background(), record, promise.Promise())
		}
	}
	try := kgo.TryCommit
	if err := promise.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "aborts:", err)
		try = kgo.TryAbort
	} else if random.Intn(abortedOneIn) == 0 {
		try = kgo.TryAbort
	} else {
		say("commit")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	committed, err := session.End(ctx, try)
	switch {
	case err != nil:
		return err
	case committed:
		say("committed")
	default:
		say("aborted")
	}
	return nil
}

// ranges are PARTITION:START:END.
func ranges(records []*kgo.Record) []any {
	var order []int32
	starts, ends := map[int32]int64{}, map[int32]int64{}
	for _, record := range records {
		if _, isKnown := starts[record.Partition]; !isKnown {
			order = append(order, record.Partition)
			starts[record.Partition] = record.Offset
		}
		ends[record.Partition] = record.Offset + 1
	}
	var words []any
	for _, partition := range order {
		words = append(words, fmt.Sprintf("%d:%d:%d", partition, starts[partition], ends[partition]))
	}
	return words
}

// poll ignores errors: the client goes on by itself.
func poll(from func(context.Context, int) kgo.Fetches) []*kgo.Record {
	ctx, cancel := context.WithTimeout(stopped, aWhile)
	defer cancel()
	fetches := from(ctx, inputMax)
	fetches.EachError(func(_ string, _ int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "reads:", err)
		}
	})
	return fetches.Records()
}

func read(words []string) error {
	start := map[int32]kgo.Offset{}
	for partition := range int32(number(words[1])) {
		start[partition] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(append(common(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{words[0]: start}))...)
	if err != nil {
		return err
	}
	for stopped.Err() == nil {
		for _, record := range poll(client.PollRecords) {
			say("seen", record.Partition, record.Offset, string(record.Value))
		}
	}
	client.Close()
	return nil
}

func commit(words []string) error {
	topic, group, offset := words[0], words[1], number(words[2])
	client, err := kgo.NewClient(common()...)
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client)
	for ; stopped.Err() == nil; offset++ {
		if err := commitOne(admin, topic, group, offset); err != nil {
			fmt.Fprintln(os.Stderr, "does not know:", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	client.Close()
	return nil
}

func commitOne(admin *kadm.Client, topic, group string, offset int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if offset%lookEvery == 1 {
		found, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return err
		}
		at, isThere := found.Lookup(topic, 0)
		switch {
		case !isThere:
			say("found", 0)
		case at.Err == nil:
			say("found", at.At)
		}
	}
	say("asked", offset)
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, offset, -1)
	committed, err := admin.CommitOffsets(ctx, group, offsets)
	if err != nil {
		return err
	}
	if err := committed.Error(); err != nil {
		return err
	}
	say("acknowledged", offset)
	return nil
}

func number(word string) int64 {
	parsed, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		panic(err)
	}
	return parsed
}
