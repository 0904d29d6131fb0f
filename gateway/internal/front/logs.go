package front

// certmagic speaks zap, the gateway slog: warnings and errors are carried over.

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo gives a zap logger whose warnings and errors go to l.
func zapTo(l *slog.Logger) *zap.Logger { return zap.New(slogCore{log: l}) }

type slogCore struct {
	log    *slog.Logger
	fields []zapcore.Field // converted only when something is written: each handshake adds some
}

func (c slogCore) Enabled(level zapcore.Level) bool { return level >= zapcore.WarnLevel }

func (c slogCore) With(fields []zapcore.Field) zapcore.Core {
	return slogCore{log: c.log, fields: slices.Concat(c.fields, fields)}
}

func (c slogCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

func (c slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	fields = slices.Concat(c.fields, fields)
	level := slog.LevelWarn
	if e.Level >= zapcore.ErrorLevel {
		level = slog.LevelError
	}
	// What names a peer was caused by one: strangers must not fill the log.
	if slices.ContainsFunc(fields, func(f zapcore.Field) bool { return strings.HasPrefix(f.Key, "remote") }) {
		level = slog.LevelDebug
	}
	var attrs []slog.Attr
	for _, field := range fields {
		values := zapcore.NewMapObjectEncoder()
		field.AddTo(values)
		for name, value := range values.Fields {
			attrs = append(attrs, slog.Any(name, value))
		}
	}
	c.log.LogAttrs(context.Background(), level, "certificates: "+e.Message, attrs...)
	return nil
}

func (c slogCore) Sync() error { return nil }
