package api

import (
	"time"

	"tongyan/strict"
)

// An object reads the members of one JSON object. It remembers the first
// mistake, and which members were known; finish reports either.
type object struct {
	value strict.Value
	path  string
	known int
	err   *Problem
}

func (o *object) fail(name, what string) {
	if o.err == nil {
		o.err = problem(BadRequest, name+" "+what)
	}
}

// member returns a member that is there and notes that its name is known.
func (o *object) member(name string) (strict.Value, bool) {
	v := o.value.Get(name)
	if v.Kind() == strict.Absent {
		return v, false
	}
	o.known++
	return v, true
}

func (o *object) text(name string, into *string) {
	if v, ok := o.member(name); ok {
		s, isText := v.Text()
		if !isText {
			o.fail(name, "is not a text")
		}
		*into = s
	}
}

func (o *object) optional(name string, into **string) {
	if o.value.Get(name).Kind() != strict.Absent {
		*into = new(string)
		o.text(name, *into)
	}
}

func (o *object) boolean(name string, into *bool) {
	if v, ok := o.member(name); ok {
		b, isBool := v.Bool()
		if !isBool {
			o.fail(name, "is not true or false")
		}
		*into = b
	}
}

func (o *object) duration(name string, into *bound) {
	var s string
	if o.text(name, &s); o.value.Get(name).Kind() != strict.Absent && o.err == nil {
		d, err := time.ParseDuration(s)
		if err != nil {
			o.fail(name, "is not a duration such as 30s, 5m or 1h")
		}
		*into = bound{d, true}
	}
}

// object returns a member that is an object itself; the caller hands it back
// by take once it was read.
func (o *object) object(name string) (*object, bool) {
	v, ok := o.member(name)
	if !ok {
		return nil, false
	}
	if v.Kind() != strict.Object {
		o.fail(name, "is not an object")
		return nil, false
	}
	return &object{value: v, path: name}, true
}

func (o *object) take(inner *object) {
	if err := inner.finish(); err != nil && o.err == nil {
		o.err = err.(*Problem)
	}
}

// finish returns the first mistake; a member of an unknown name is one.
func (o *object) finish() error {
	switch {
	case o.value.Kind() != strict.Object:
		return problem(BadRequest, o.path+" is not a JSON object")
	case o.err != nil:
		return o.err
	case o.known != o.value.Len():
		return problem(BadRequest, o.path+" has a member of an unknown name; /openapi.json lists them")
	}
	return nil
}
