package audit

import "os"

// OpenSyncing is Open with another way to have the file stored.
func OpenSyncing(o Options, sync func(*os.File) error) (*Log, error) {
	o.sync = func(s syncer) error { return sync(s.(*os.File)) }
	l, _, err := Open(o)
	return l, err
}

// Pending returns how many bytes wait for the writer.
func (l *Log) Pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting.bodies)
}
