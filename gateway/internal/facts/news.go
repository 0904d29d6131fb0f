package facts

import (
	"time"

	"github.com/maypok86/otter/v2"

	"tongyan/keys"
	"tongyan/verifiers"
	"tongyan/verifiers/licence"
)

// When a gateway learns that a licence stands otherwise than was known, it tells
// the others, whose memory may hold the old answer for as long as the bounds of
// their callers allow. They then doubt what they remember: it serves no more
// until Redis or the registry was asked, and only where neither answers it
// serves again as the best there is. News is a hint: what it says is looked up,
// not believed, so a replayed one costs a question and moves no verdict, and a
// lost one costs the time that the bounds allowed anyway. Who was deaf for a
// while doubts every standing; findings never change.

// inDoubt is the epoch of a standing that there is news of.
const inDoubt = 0

// doubts reports whether another gateway may know of a newer standing than s.
// Without news of s itself that is so only while the others can be asked.
func (c *Cache) doubts(s *keptStanding) bool {
	return s.epoch == inDoubt ||
		c.shared != nil && s.epoch != c.epoch.Load() && c.shared.health.up()
}

// isNews reports whether the other gateways should hear of s, which took the
// place of before: if it says something else, and where nothing was known, if it
// is not what they most likely know.
func isNews(before, s *keptStanding) bool {
	if before == nil {
		return s.Answer != verifiers.Registered || s.State != licence.RegActive
	}
	return s.Answer != before.Answer || s.State != before.State || s.Apprdate != before.Apprdate || s.Entname != before.Entname
}

func (s *shared) newsChannel() string { return s.seal.name(KindNews) }

// News names a licence and when its register was asked.
func appendNews(b []byte, key verifiers.StandingKey, asked time.Time) []byte {
	b = appendText(b, key.Province)
	b = appendText(b, key.USCC)
	return appendTime(b, asked)
}

func readNews(b []byte) (key verifiers.StandingKey, asked time.Time, err error) {
	r := reader{rest: string(b)}
	key.Province, key.USCC = keys.ProvinceCode(r.text()), licence.USCC(r.text())
	asked = r.time()
	if r.bad || r.rest != "" {
		return verifiers.StandingKey{}, time.Time{}, errEncoding
	}
	return key, asked, nil
}

func (s *shared) hearNews(channel, payload string) {
	plain, err := s.seal.open(channel, false, []byte(payload))
	if err == nil {
		var key verifiers.StandingKey
		var asked time.Time
		if key, asked, err = readNews(plain); err == nil {
			s.cache.doubt(key, asked)
		}
	}
	if err != nil {
		s.cache.unsealed(KindNews)
	}
}

// doubt marks what memory has of a licence if it is older than the news.
func (c *Cache) doubt(key verifiers.StandingKey, asked time.Time) {
	if time.Until(asked) > clockError {
		return // nothing learned in the meantime could answer it
	}
	c.standings.ComputeIfPresent(key, func(old *keptStanding) (*keptStanding, otter.ComputeOp) {
		if !old.AskedAt.Before(asked) || old.epoch == inDoubt {
			return old, otter.CancelOp
		}
		doubted := *old
		doubted.epoch = inDoubt
		return &doubted, otter.WriteOp
	})
}

// confirm ends the doubt about a standing of which Redis has none newer. One
// that there is news of stays in doubt: what was told could not be written.
func (c *Cache) confirm(key verifiers.StandingKey) {
	epoch := c.epoch.Load()
	c.standings.ComputeIfPresent(key, func(old *keptStanding) (*keptStanding, otter.ComputeOp) {
		if old.epoch == inDoubt || old.epoch == epoch {
			return old, otter.CancelOp
		}
		sure := *old
		sure.epoch = epoch
		return &sure, otter.WriteOp
	})
}
