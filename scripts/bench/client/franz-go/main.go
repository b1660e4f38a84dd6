// The tasks of measured.ts with franz-go: `franz-go produce|send|consume ADDRESS TOPIC SECONDS MESSAGES`. Prints one
// line of JSON.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func cpu() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return float64(used.Utime.Sec+used.Stime.Sec) + float64(used.Utime.Usec+used.Stime.Usec)/1e6
}

// Not Maxrss, which counts the memory of the process that started this one, too.
func peakMiB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib := 0
	if _, err := fmt.Sscan(after, &kib); err != nil {
		panic(err)
	}
	return float64(kib) / 1024
}

func report(messages int, started time.Time, cpuBefore float64) {
	const line = "{\"messages\":%d,\"seconds\":%f,\"cpuSeconds\":%f,\"peakMiB\":%f}\n"
	fmt.Printf(line, messages, time.Since(started).Seconds(), cpu()-cpuBefore, peakMiB())
	os.Exit(0)
}

func produce(address, topic string, seconds float64, inFlightMax int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		panic(err)
	}
	value := bytes.Repeat([]byte("x"), 100)
	ctx := context.Background()
	// One message first: connecting is no part of the rate.
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
		panic(err)
	}
	room := make(chan struct{}, inFlightMax)
	var waiting sync.WaitGroup
	started, cpuBefore, sent := time.Now(), cpu(), 0
	for time.Since(started).Seconds() < seconds {
		room <- struct{}{}
		waiting.Add(1)
		sent++
		client.Produce(ctx, &kgo.Record{Topic: topic, Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				panic(err)
			}
			<-room
			waiting.Done()
		})
	}
	waiting.Wait()
	report(sent, started, cpuBefore)
}

func consume(address, topic string, seconds float64, messages int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumerGroup(fmt.Sprintf("franz-go-%d", os.Getpid())), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		panic(err)
	}
	var started time.Time
	var cpuBefore float64
	seen, first := 0, 0
	for {
		fetches := client.PollFetches(context.Background())
		count := fetches.NumRecords()
		if count == 0 {
			continue
		}
		if seen == 0 {
			started, cpuBefore, first = time.Now(), cpu(), count
		}
		seen += count
		if seen >= messages || time.Since(started).Seconds() > seconds {
			report(seen-first, started, cpuBefore)
		}
	}
}

func main() {
	if len(os.Args) < 6 {
		fmt.Fprintln(os.Stderr, "franz-go produce|send|consume ADDRESS TOPIC SECONDS MESSAGES")
		os.Exit(2)
	}
	seconds, _ := strconv.ParseFloat(os.Args[4], 64)
	messages, _ := strconv.Atoi(os.Args[5])
	switch os.Args[1] {
	case "consume":
		consume(os.Args[2], os.Args[3], seconds, messages)
	case "send":
		produce(os.Args[2], os.Args[3], seconds, 1000)
	default:
		produce(os.Args[2], os.Args[3], seconds, 2000)
	}
}
