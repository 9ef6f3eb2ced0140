package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/anishathalye/porcupine"
)

// Models of the histories of bench/objects.py, as a user of Porcupine would write them for
// speed: small comparable states, and a partition wherever the type allows one. Nothing in
// those histories crashes, so nothing here is made for it.

func completed(records []record) error {
	for _, r := range records {
		if r.unknown {
			return fmt.Errorf("%s by process %s crashed; this model takes none that did", r.f, r.process)
		}
	}
	return nil
}

// one is the partition of a history of a single object.
func one(history []porcupine.Operation) [][]porcupine.Operation {
	return [][]porcupine.Operation{history}
}

// A queue's state is its elements, four bytes each, so that states are compared by ==.
type queueInput struct {
	enqueue bool
	element int // of a dequeue: what it answered
	empty   bool
}

func queueOperations(records []record, values *table) ([]porcupine.Operation, error) {
	operations := make([]porcupine.Operation, 0, len(records))
	for _, r := range records {
		in := queueInput{enqueue: r.f == "enqueue", element: values.code(string(r.answer))}
		if in.enqueue {
			in.element = values.code(string(r.argument))
		} else if r.f != "dequeue" {
			return nil, fmt.Errorf("a queue knows enqueue and dequeue, not %q", r.f)
		}
		in.empty = !in.enqueue && string(r.answer) == "null"
		operations = append(operations, operation(r, in, nil))
	}
	return operations, completed(records)
}

var queue = porcupine.Model{
	Partition: one,
	Init:      func() interface{} { return "" },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		now, in := state.(string), input.(queueInput)
		element := binary.LittleEndian.AppendUint32(nil, uint32(in.element))
		switch {
		case in.enqueue:
			return true, now + string(element)
		case in.empty:
			return now == "", now
		}
		if len(now) < 4 || now[:4] != string(element) {
			return false, now
		}
		return true, now[4:]
	},
}

// A set whose operations are about one element each is as many objects as elements.
type setInput struct {
	op      uint8 // 0 contains, 1 add, 2 remove
	element string
	changed bool // of contains: whether it is there
}

func setOperations(records []record, _ *table) ([]porcupine.Operation, error) {
	codes := map[string]uint8{"contains": 0, "add": 1, "remove": 2}
	operations := make([]porcupine.Operation, 0, len(records))
	for _, r := range records {
		op, ok := codes[r.f]
		if !ok {
			return nil, fmt.Errorf("this set knows add, remove and contains, not %q", r.f)
		}
		in := setInput{op, string(r.argument), string(r.answer) == "true"}
		operations = append(operations, operation(r, in, nil))
	}
	return operations, completed(records)
}

var set = porcupine.Model{
	Partition: byKey(func(input interface{}) string { return input.(setInput).element }),
	Init:      func() interface{} { return false },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		now, in := state.(bool), input.(setInput)
		switch in.op {
		case 1:
			return in.changed == !now, true
		case 2:
			return in.changed == now, false
		}
		return in.changed == now, now
	},
}

type versioned struct{ version, value int }

type versionedInput struct {
	op      uint8 // 0 read, 1 write, 2 cas, 3 cas that did not match
	from    int
	answers versioned
}

func versionedOperations(records []record, values *table) ([]porcupine.Operation, error) {
	codes := map[string]uint8{"read": 0, "write": 1, "cas": 2}
	operations := make([]porcupine.Operation, 0, len(records))
	for _, r := range records {
		op, ok := codes[r.f]
		if !ok {
			return nil, fmt.Errorf("a versioned register knows read, write and cas, not %q", r.f)
		}
		in := versionedInput{op: op}
		if op == 2 {
			asked, err := two(r.argument)
			if err != nil {
				return nil, err
			}
			fromTo, err := two(asked[1])
			if err != nil {
				return nil, err
			}
			in.from, in.answers.value = values.code(string(fromTo[0])), values.code(string(fromTo[1]))
		}
		if string(r.answer) == "false" {
			in.op = 3
		} else {
			answered, err := two(r.answer)
			if err != nil {
				return nil, err
			}
			if err := json.Unmarshal(answered[0], &in.answers.version); err != nil {
				return nil, err
			}
			if op != 2 {
				in.answers.value = values.code(string(answered[1]))
			}
		}
		operations = append(operations, operation(r, in, nil))
	}
	return operations, completed(records)
}

func two(raw json.RawMessage) ([]json.RawMessage, error) {
	var pair []json.RawMessage
	if err := json.Unmarshal(raw, &pair); err != nil || len(pair) != 2 {
		return nil, fmt.Errorf("expected two values, found %s", raw)
	}
	return pair, nil
}

func versionedRegister(null int) porcupine.Model {
	return porcupine.Model{
		Partition: one,
		Init:      func() interface{} { return versioned{0, null} },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			now, in := state.(versioned), input.(versionedInput)
			switch in.op {
			case 0:
				return now == in.answers, now
			case 3:
				return now.value != in.from, now
			case 2:
				if now.value != in.from {
					return false, now
				}
			}
			return in.answers.version > now.version, in.answers
		},
	}
}
