package redistest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// joinTime bounds how long several servers may take to become one.
const joinTime = 60 * time.Second

// StartClusterOfSix starts a Redis Cluster of three masters, the first three of
// nodes, and a replica of each. A master that is silent for a quarter of a second
// is replaced.
func StartClusterOfSix(t testing.TB) (nodes []*Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), joinTime)
	defer cancel()
	for range 6 {
		nodes = append(nodes, Start(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "250", "--repl-diskless-sync-delay", "0"))
	}
	ids := make([]string, len(nodes))
	for i, node := range nodes {
		c := node.Client()
		ids[i] = c.ClusterMyID(ctx).Val()
		must(t, c.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i < 3 {
			must(t, c.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err())
		}
		host, port, _ := net.SplitHostPort(nodes[0].Addr)
		must(t, c.ClusterMeet(ctx, host, port).Err())
	}
	all := func(what string, ready func(c *redis.Client) bool) {
		t.Helper()
		for i, node := range nodes {
			c := node.Client()
			wait(ctx, t, fmt.Sprintf("node %d: %s", i, what), func() bool { return ready(c) })
		}
	}
	all("knows six", func(c *redis.Client) bool {
		return strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_known_nodes:6\r")
	})
	for i := range 3 {
		c := nodes[3+i].Client()
		wait(ctx, t, "a replica", func() bool { return c.ClusterReplicate(ctx, ids[i]).Err() == nil })
	}
	inStep(ctx, t, nodes[3:])
	// Every node must know of the replicas, or they get no votes.
	all("the cluster is whole", func(c *redis.Client) bool {
		return strings.Contains(c.ClusterInfo(ctx).Val(), "cluster_state:ok") && strings.Count(c.ClusterNodes(ctx).Val(), "slave") == 3
	})
	return nodes
}

// MasterName is what the sentinels call the master.
const MasterName = "tongyan"

// StartSentinels starts a master, which is the first of servers, two replicas
// and three sentinels over them, all with a password; that of the sentinels is
// another. A master that is silent for 300 ms is replaced. The sentinels ask each
// other five times a second instead of once, without which it takes them half a
// second longer to agree.
func StartSentinels(t testing.TB, password, ofSentinels string) (servers, sentinels []*Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), joinTime)
	defer cancel()
	var host, port string
	for i := range 3 {
		s := &Server{t: t, password: password, args: []string{"--repl-diskless-sync-delay", "0"}}
		if i > 0 {
			s.args = append(s.args, "--replicaof", host+" "+port)
		}
		s.start()
		host, port, _ = net.SplitHostPort(masterOf(servers, s).Addr)
		servers = append(servers, s)
	}
	for range 3 {
		s := &Server{t: t, password: ofSentinels, config: fmt.Sprintf(`requirepass %s
sentinel monitor %[2]s %s %s 2
sentinel auth-pass %[2]s %[5]s
sentinel down-after-milliseconds %[2]s 300
sentinel failover-timeout %[2]s 5000
`, ofSentinels, MasterName, host, port, password)}
		s.start()
		sentinels = append(sentinels, s)
		must(t, s.Client().Do(ctx, "SENTINEL", "DEBUG", "INFO-PERIOD", "200", "ASK-PERIOD", "200", "PING-PERIOD", "200").Err())
	}
	for _, s := range sentinels {
		c := s.Client()
		wait(ctx, t, "a sentinel knows all", func() bool {
			info := c.Info(ctx, "sentinel").Val()
			return strings.Contains(info, "status=ok") && strings.Contains(info, "slaves=2,sentinels=3")
		})
	}
	inStep(ctx, t, servers[1:])
	return servers, sentinels
}

// inStep waits until replicas have what their masters have.
func inStep(ctx context.Context, t testing.TB, replicas []*Server) {
	t.Helper()
	for _, replica := range replicas {
		c := replica.Client()
		wait(ctx, t, "a replica in step", func() bool {
			return strings.Contains(c.Info(ctx, "replication").Val(), "master_link_status:up")
		})
	}
}

// masterOf is the first of servers, or the one that will be.
func masterOf(servers []*Server, first *Server) *Server {
	if len(servers) > 0 {
		return servers[0]
	}
	return first
}

// Addrs lists the addresses of servers.
func Addrs(servers []*Server) (all []string) {
	for _, s := range servers {
		all = append(all, s.Addr)
	}
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wait(ctx context.Context, t testing.TB, what string, ready func() bool) {
	t.Helper()
	for !ready() {
		if ctx.Err() != nil {
			t.Fatal("never came: " + what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
