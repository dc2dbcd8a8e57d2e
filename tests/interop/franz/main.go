// franz BOOTSTRAP: what franz-go is promised of transactions. One line for each check, `ok NAME` or `FAIL NAME: why`; exit status 1
// if any failed. Apache Kafka passes all of them.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var bootstrap string
var admin *kadm.Client

type check struct {
	name string
	run  func(context.Context) error
}

func checks() []check {
	all := []check{
		{"one transaction over several partitions", manyPartitions},
		{"one transaction over several topics", manyTopics},
		{"twenty transactions in a row, some aborted, in order", manyInARow},
		{"what is open ends the log for committed readers", openHoldsBack},
		{"transactions of two producers in one partition", interleaved},
		{"a second producer with the same id fences the first", fencing},
		{"the next producer aborts what its predecessor left open", leftOpen},
		{"a transaction that takes too long is aborted", timeout},
		{"a time limit beyond the broker's is refused", timeoutTooLarge},
		{"offsets of a transaction count after its commit", offsets},
		{"offsets of a member that left are refused", staleMember},
		{"consume, transform, produce by a group of three: each record once", transform},
	}
	for name, codec := range codecs {
		all = append(all, check{"a commit shows the records, an abort hides them, " + name, func(ctx context.Context) error {
			return commitAndAbort(ctx, codec)
		}})
	}
	return all
}

func main() {
	bootstrap = os.Args[1]
	client := must(kgo.NewClient(kgo.SeedBrokers(bootstrap)))
	defer client.Close()
	admin = kadm.NewClient(client)
	var running sync.WaitGroup
	var lock sync.Mutex
	failures := 0
	for _, check := range checks() {
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
