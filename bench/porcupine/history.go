package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
)

// A record is one operation as it was seen from outside, in either file format. Values are
// codes of a table, so that the models compare integers and not JSON.
type record struct {
	f        string
	key      string
	argument json.RawMessage
	answer   json.RawMessage
	process  string
	call     int64
	ret      int64
	unknown  bool // crashed or never completed: returns at the end, whatever it answered
}

// A table gives each distinct JSON text a small integer.
type table struct{ codes map[string]int }

func newTable() *table { return &table{make(map[string]int)} }

func (t *table) code(text string) int {
	if text == "" {
		text = "null"
	}
	code, ok := t.codes[text]
	if !ok {
		code = len(t.codes)
		t.codes[text] = code
	}
	return code
}

// An operation in flight is remembered by its process; those that never complete are kept
// as unknown and return after everything else, as Porcupine's users do.
type flight struct {
	records []record
	open    map[string]int
	last    int64
}

func (f *flight) invoke(r record) {
	f.open[r.process] = len(f.records)
	r.ret, r.unknown = math.MaxInt64, true
	f.records = append(f.records, r)
}

func (f *flight) complete(process string, at int64, answer json.RawMessage) {
	if i, ok := f.open[process]; ok {
		f.records[i].ret, f.records[i].unknown, f.records[i].answer = at, false, answer
		delete(f.open, process)
	}
}

// drop forgets an operation that certainly did not happen, or that tells nothing.
func (f *flight) drop(process string) {
	if i, ok := f.open[process]; ok {
		f.records[i].f = ""
		delete(f.open, process)
	}
}

func (f *flight) finish() []record {
	var kept []record
	for _, r := range f.records {
		if r.f == "" {
			continue
		}
		if r.unknown {
			r.ret = f.last + 1
		}
		kept = append(kept, r)
	}
	return kept
}

type event struct {
	Time    *int64          `json:"time"`
	Process json.RawMessage `json:"process"`
	Type    string          `json:"type"`
	F       string          `json:"f"`
	Key     json.RawMessage `json:"key"`
	Value   json.RawMessage `json:"value"`
}

// readEvents reads momus JSON lines. A line without a type is the header.
func readEvents(file string, _ *table) ([]record, error) {
	f := flight{open: make(map[string]int)}
	err := eachLine(file, func(number int, line []byte) error {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
		if e.Type == "" || len(e.Process) == 0 || e.Process[0] == '"' {
			return nil
		}
		at := int64(number)
		if e.Time != nil {
			at = *e.Time
		}
		f.last = at
		switch process := string(e.Process); e.Type {
		case "invoke":
			f.invoke(record{f: e.F, key: string(e.Key), argument: e.Value, process: process, call: at})
		case "ok":
			f.complete(process, at, e.Value)
		case "fail":
			f.drop(process)
		case "info":
			delete(f.open, process)
		}
		return nil
	})
	return f.finish(), err
}

var jepsenLine = regexp.MustCompile(`^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(\w+)\s+:(\w+)\s+(.*)$`)
var pair = regexp.MustCompile(`^\[(\d+)\s+(\d+)\]$`)

// readJepsenLog reads the old jepsen.util log lines, in which a failed CAS is an observation.
func readJepsenLog(file string, _ *table) ([]record, error) {
	f := flight{open: make(map[string]int)}
	err := eachLine(file, func(number int, line []byte) error {
		part := jepsenLine.FindSubmatch(line)
		if part == nil {
			return nil
		}
		process, kind, name, at := string(part[1]), string(part[2]), string(part[3]), int64(number)
		f.last = at
		value := json.RawMessage(part[4])
		if string(value) == "nil" {
			value = nil
		}
		if p := pair.FindSubmatch(value); p != nil {
			value = json.RawMessage(fmt.Sprintf("[%s,%s]", p[1], p[2]))
		}
		switch {
		case kind == "invoke":
			f.invoke(record{f: name, argument: value, process: process, call: at})
		case kind == "ok":
			f.complete(process, at, value)
		case kind == "fail" && name == "cas":
			f.complete(process, at, json.RawMessage("false"))
		case kind == "fail":
			f.drop(process)
		}
		return nil
	})
	return f.finish(), err
}

func eachLine(file string, visit func(number int, line []byte) error) error {
	opened, err := os.Open(file)
	if err != nil {
		return err
	}
	defer opened.Close()
	lines := bufio.NewScanner(opened)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for number := 1; lines.Scan(); number++ {
		if err := visit(number, append([]byte(nil), lines.Bytes()...)); err != nil {
			return err
		}
	}
	return lines.Err()
}
