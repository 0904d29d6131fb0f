package statuslist

import (
	"bytes"
	"compress/zlib"
	"errors"
	"io"
)

var (
	errTooLarge = errors.New("inflates to more than 16 MiB")
	errEmpty    = errors.New("holds no entry")
	errTrailing = errors.New("bytes behind the stream")
)

// inflate unpacks one zlib stream (RFC 1950) that fills packed exactly.
//
// It goes over the stream twice: first to measure it, which costs no memory
// however much it would inflate to, then to unpack it into as many bytes as it
// holds and none more.
func inflate(packed []byte) ([]byte, error) {
	rest := bytes.NewReader(packed)
	stream, err := zlib.NewReader(rest)
	if err != nil {
		return nil, err
	}
	size, err := io.Copy(io.Discard, io.LimitReader(stream, MaxInflated+1))
	switch {
	case err != nil:
		return nil, err
	case size > MaxInflated:
		return nil, errTooLarge
	case size == 0:
		return nil, errEmpty
	case rest.Len() > 0:
		return nil, errTrailing
	}
	rest.Reset(packed)
	if err := stream.(zlib.Resetter).Reset(rest, nil); err != nil {
		return nil, err
	}
	out := make([]byte, size)
	if _, err := io.ReadFull(stream, out); err != nil {
		return nil, err
	}
	return out, nil
}
