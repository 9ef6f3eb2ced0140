// Porcupine, timed on the histories that momus is timed on.
//
// For each file named on the command line: read the history, let Porcupine check it (a
// number of times), and print one JSON line with the verdict, the seconds of the check
// alone and the memory it took. Reading is never timed. The process is its own warden: a
// check that runs out of time or memory ends with the verdict "unknown" and the cause, so
// that a benchmark never takes the machine down with it.
//
// Only the benchmark needs Go; nothing of momus imports this.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
)

type result struct {
	File       string    `json:"file"`
	Verdict    string    `json:"verdict"` // valid, invalid, unknown
	Cause      string    `json:"cause,omitempty"`
	Operations int       `json:"operations"`
	Keys       int       `json:"keys"`
	Seconds    float64   `json:"seconds"`      // median of all
	All        []float64 `json:"all"`          // each repetition
	Processor  float64   `json:"cpu_seconds"`  // of all threads, median
	Loaded     int64     `json:"loaded_bytes"` // resident before the check
	Peak       int64     `json:"peak_bytes"`   // resident at most during the check
}

func main() {
	modelName := flag.String("model", "cas-register", "cas-register, kv, queue, set or versioned-register")
	initial := flag.String("initial", "null", "initial value of each register, as JSON")
	repeat := flag.Int("repeat", 1, "checks per file; the median counts")
	timeout := flag.Duration("timeout", 10*time.Minute, "limit for one check")
	memory := flag.Int64("memory-limit-bytes", 16<<30, "limit of resident memory")
	flag.Parse()
	for _, file := range flag.Args() {
		read := readEvents
		if strings.HasSuffix(file, ".log") {
			read = readJepsenLog
		}
		operations, model, err := load(file, read, *modelName, *initial)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		measure(file, operations, model, *repeat, *timeout, *memory)
	}
}

func load(
	file string, read func(string, *table) ([]record, error), modelName, initial string,
) ([]porcupine.Operation, porcupine.Model, error) {
	values := newTable()
	records, err := read(file, values)
	if err != nil {
		return nil, porcupine.Model{}, err
	}
	switch modelName {
	case "cas-register":
		operations, err := registerOperations(records, values)
		return operations, casRegister(values.code(initial)), err
	case "kv":
		operations, err := kvOperations(records, values)
		return operations, kv, err
	case "queue":
		operations, err := queueOperations(records, values)
		return operations, queue, err
	case "set":
		operations, err := setOperations(records, values)
		return operations, set, err
	case "versioned-register":
		operations, err := versionedOperations(records, values)
		return operations, versionedRegister(values.code("null")), err
	}
	return nil, porcupine.Model{}, fmt.Errorf("no model %q; -help lists them", modelName)
}

func measure(
	file string, operations []porcupine.Operation, model porcupine.Model,
	repeat int, timeout time.Duration, memory int64,
) {
	res := result{File: file, Operations: len(operations), Keys: len(model.Partition(operations))}
	debug.FreeOSMemory()
	res.Loaded = residentBytes("VmRSS")
	resetPeak()
	done := make(chan struct{})
	go stopAbove(memory, res, done)
	var processor []float64
	for i := 0; i < repeat; i++ {
		runtime.GC() // the garbage of the repetition before is not this one's
		start, worked := time.Now(), processorSeconds()
		verdict := porcupine.CheckOperationsTimeout(model, operations, timeout)
		res.All = append(res.All, time.Since(start).Seconds())
		processor = append(processor, processorSeconds()-worked)
		switch verdict {
		case porcupine.Ok:
			res.Verdict = "valid"
		case porcupine.Illegal:
			res.Verdict = "invalid"
		default:
			res.Verdict, res.Cause = "unknown", "time"
		}
	}
	close(done)
	res.Peak = residentBytes("VmHWM")
	res.Seconds, res.Processor = median(res.All), median(processor)
	print(res)
}

// stopAbove ends the process, with a result that says so, when it outgrows the limit.
func stopAbove(limit int64, res result, done <-chan struct{}) {
	start := time.Now()
	for {
		select {
		case <-done:
			return
		case <-time.After(50 * time.Millisecond):
		}
		if residentBytes("VmRSS") > limit {
			res.Verdict, res.Cause = "unknown", "memory"
			res.Seconds = time.Since(start).Seconds()
			res.All = []float64{res.Seconds}
			res.Peak = residentBytes("VmHWM")
			print(res)
			os.Exit(0)
		}
	}
}

func print(res result) {
	line, err := json.Marshal(res)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	return sorted[(len(sorted)-1)/2]
}

// processorSeconds is what all threads of this process have worked so far.
func processorSeconds() float64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// residentBytes reads VmRSS (now) or VmHWM (at most) of this process; 0 where /proc is missing.
func residentBytes(field string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		var kib int64
		if strings.HasPrefix(line, field+":") {
			if _, err := fmt.Sscanf(line[len(field)+1:], "%d kB", &kib); err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// resetPeak lets VmHWM start anew, so that reading the file does not count.
func resetPeak() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}
