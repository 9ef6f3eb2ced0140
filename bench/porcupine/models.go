package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/anishathalye/porcupine"
)

// The models are those of Porcupine's own tests (etcd's register, the string store), with
// integers for values: nothing here makes Porcupine slower than its users see it.

type registerInput struct {
	op         uint8 // 0 read, 1 write, 2 cas
	arg1, arg2 int
	key        string
}

type registerOutput struct {
	ok      bool // of a cas: the value compared equal
	value   int  // of a read
	unknown bool
}

func registerOperations(records []record, values *table) ([]porcupine.Operation, error) {
	operations := make([]porcupine.Operation, 0, len(records))
	for _, r := range records {
		in, out := registerInput{key: r.key}, registerOutput{unknown: r.unknown}
		switch r.f {
		case "read":
			out.value = values.code(string(r.answer))
		case "write":
			in.op, in.arg1 = 1, values.code(string(r.argument))
		case "cas":
			var pair []json.RawMessage
			if err := json.Unmarshal(r.argument, &pair); err != nil || len(pair) != 2 {
				return nil, fmt.Errorf("a cas needs [from, to], not %s", r.argument)
			}
			in.op, in.arg1, in.arg2 = 2, values.code(string(pair[0])), values.code(string(pair[1]))
			out.ok = string(r.answer) != "false"
		default:
			return nil, fmt.Errorf("a register knows read, write and cas, not %q", r.f)
		}
		operations = append(operations, operation(r, in, out))
	}
	return operations, nil
}

func casRegister(initial int) porcupine.Model {
	return porcupine.Model{
		Partition: byKey(func(input interface{}) string { return input.(registerInput).key }),
		Init:      func() interface{} { return initial },
		Step: func(state, input, output interface{}) (bool, interface{}) {
			now, in, out := state.(int), input.(registerInput), output.(registerOutput)
			switch in.op {
			case 0:
				return out.unknown || now == out.value, state
			case 1:
				return true, in.arg1
			}
			equal := in.arg1 == now
			if equal {
				now = in.arg2
			}
			return out.unknown || equal == out.ok, now
		},
	}
}

type kvInput struct {
	op         uint8 // 0 get, 1 put, 2 append
	key, value string
}

type kvOutput struct {
	value   string
	unknown bool
}

func kvOperations(records []record, _ *table) ([]porcupine.Operation, error) {
	codes := map[string]uint8{"get": 0, "put": 1, "append": 2}
	operations := make([]porcupine.Operation, 0, len(records))
	for _, r := range records {
		op, ok := codes[r.f]
		if !ok {
			return nil, fmt.Errorf("a kv store knows get, put and append, not %q", r.f)
		}
		in := kvInput{op: op, key: r.key, value: text(r.argument)}
		operations = append(operations, operation(r, in, kvOutput{text(r.answer), r.unknown}))
	}
	return operations, nil
}

var kv = porcupine.Model{
	Partition: byKey(func(input interface{}) string { return input.(kvInput).key }),
	Init:      func() interface{} { return "" },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		now, in, out := state.(string), input.(kvInput), output.(kvOutput)
		switch in.op {
		case 0:
			return out.unknown || out.value == now, state
		case 1:
			return true, in.value
		}
		return true, now + in.value
	},
}

func operation(r record, in, out interface{}) porcupine.Operation {
	process, _ := strconv.Atoi(r.process)
	return porcupine.Operation{ClientId: process, Input: in, Call: r.call, Output: out, Return: r.ret}
}

func text(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

func byKey(key func(input interface{}) string) func([]porcupine.Operation) [][]porcupine.Operation {
	return func(history []porcupine.Operation) [][]porcupine.Operation {
		places := make(map[string]int)
		var parts [][]porcupine.Operation
		for _, op := range history {
			k := key(op.Input)
			place, ok := places[k]
			if !ok {
				place = len(parts)
				places[k] = place
				parts = append(parts, nil)
			}
			parts[place] = append(parts[place], op)
		}
		return parts
	}
}
