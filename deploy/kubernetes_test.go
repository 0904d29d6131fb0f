package deploy_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// An object is a manifest as it was read; at finds what stands in it.
type object map[string]any

// at follows a path of members and numbers, nil where it ends.
func (o object) at(path string) any {
	var here any = map[string]any(o)
	for step := range strings.SplitSeq(path, ".") {
		switch v := here.(type) {
		case map[string]any:
			here = v[step]
		case []any:
			n := 0
			if _, err := fmt.Sscan(step, &n); err != nil || n >= len(v) {
				return nil
			}
			here = v[n]
		default:
			return nil
		}
	}
	return here
}

// manifests reads all of them, by kind.
func manifests(t *testing.T) map[string]object {
	t.Helper()
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	all := map[string]object{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(data), "\n---\n") {
			var o object
			if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			kind, _ := o["kind"].(string)
			if all[kind] != nil {
				t.Errorf("%s: a second %s", file, kind)
			}
			if o.at("metadata.namespace") != "tongyan" || o.at("metadata.name") != "tongyan" {
				t.Errorf("%s: %s is not tongyan's in tongyan", file, kind)
			}
			all[kind] = o
		}
	}
	return all
}

// The manifests speak of the same pods, ports and numbers.
func TestManifestsAgree(t *testing.T) {
	all := manifests(t)
	for _, kind := range []string{"Deployment", "Service", "ConfigMap", "PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy"} {
		if all[kind] == nil {
			t.Fatalf("no %s", kind)
		}
	}
	d := all["Deployment"]
	label := d.at("spec.template.metadata.labels.app")
	for where, got := range map[string]any{
		"Deployment":          d.at("spec.selector.matchLabels.app"),
		"Service":             all["Service"].at("spec.selector.app"),
		"PodDisruptionBudget": all["PodDisruptionBudget"].at("spec.selector.matchLabels.app"),
		"NetworkPolicy":       all["NetworkPolicy"].at("spec.podSelector.matchLabels.app"),
	} {
		if label == nil || got != label {
			t.Errorf("%s selects %v, the pods are %v", where, got, label)
		}
	}
	pod, container := object(d.at("spec.template.spec").(map[string]any)), object(d.at("spec.template.spec.containers.0").(map[string]any))
	for path, want := range map[string]any{
		"securityContext.runAsNonRoot": true, "automountServiceAccountToken": false, "securityContext.seccompProfile.type": "RuntimeDefault",
	} {
		if got := pod.at(path); got != want {
			t.Errorf("pod: %s is %v", path, got)
		}
	}
	for path, want := range map[string]any{
		"securityContext.allowPrivilegeEscalation": false, "securityContext.readOnlyRootFilesystem": true, "securityContext.capabilities.drop.0": "ALL",
		"readinessProbe.httpGet.path": "/readyz", "startupProbe.httpGet.path": "/readyz", "livenessProbe.httpGet.path": "/livez",
		"readinessProbe.httpGet.port": "admin", "startupProbe.httpGet.port": "admin", "livenessProbe.httpGet.port": "admin",
	} {
		if got := container.at(path); got != want {
			t.Errorf("container: %s is %v", path, got)
		}
	}
	ports := map[any]string{}
	for _, p := range container["ports"].([]any) {
		ports[p.(map[string]any)["name"]] = fmt.Sprint(p.(map[string]any)["containerPort"])
	}
	config, _ := all["ConfigMap"].at("data").(map[string]any)["gateway.yaml"].(string)
	for name, key := range map[string]string{"https": "listen", "admin": "admin"} {
		if !strings.Contains(config, fmt.Sprintf("%s: \":%s\"\n", key, ports[name])) {
			t.Errorf("the port %s is %s, and gateway.yaml says otherwise", name, ports[name])
		}
	}
	if target := all["Service"].at("spec.ports.0.targetPort"); target != "https" {
		t.Errorf("the service leads to %v", target)
	}
	// The drain (26 s, gateway/drain.go) must fit behind the sleep.
	var sleep, grace int
	fmt.Sscan(fmt.Sprint(container.at("lifecycle.preStop.sleep.seconds")), &sleep)
	fmt.Sscan(fmt.Sprint(pod["terminationGracePeriodSeconds"]), &grace)
	if sleep < 1 || grace < sleep+26 {
		t.Errorf("%d s of grace for %d s of sleep and 26 of draining", grace, sleep)
	}
	hpa := all["HorizontalPodAutoscaler"]
	if hpa.at("spec.scaleTargetRef.kind") != "Deployment" || hpa.at("spec.scaleTargetRef.name") != d.at("metadata.name") {
		t.Error("the autoscaler scales something else")
	}
	metric, _ := hpa.at("spec.metrics.0.pods.metric.name").(string)
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	if metric == "" || !strings.Contains(string(rules), "record: "+metric+"\n") {
		t.Errorf("%q is recorded by no rule", metric)
	}
}

// The gateway takes the configuration as the pods would see it, with all that
// it names in the secret.
func TestConfigMap(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the built gateway: run without -short")
	}
	all, dir := manifests(t), t.TempDir()
	a := newAuthority(t, dir, "clients-ca")
	a.issue("gateway")
	newAuthority(t, dir, "redis-ca")
	jwk := func(name string) []byte {
		t.Helper()
		private := filepath.Join(dir, name+".private")
		public, err := exec.Command(binary, "keys", "new", "--alg", "ES256", "--kid", name, "--out", private).Output()
		if err != nil {
			t.Fatal(err)
		}
		if name != "receipt" {
			return public
		}
		data, err := os.ReadFile(private)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	seal := make([]byte, 32)
	rand.Read(seal)
	secret := map[string][]byte{
		"root-a.jwk": jwk("root-a"), "root-b.jwk": jwk("root-b"), "receipt.jwk": jwk("receipt"),
		"redis-password": []byte("a password\n"), "seal.key": []byte(base64.StdEncoding.EncodeToString(seal)),
	}
	for _, name := range []string{"gateway.pem", "gateway.key", "clients-ca.pem", "redis-ca.pem"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		secret[name] = data
	}
	mount := filepath.Join(dir, "etc")
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	items := all["Deployment"].at("spec.template.spec.volumes.0.projected.sources.1.secret.items").([]any)
	manifest, err := os.ReadFile("kubernetes/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := all["ConfigMap"].at("data").(map[string]any)["gateway.yaml"].(string)
	var mounted []string
	for _, item := range items {
		key, path := item.(map[string]any)["key"].(string), item.(map[string]any)["path"].(string)
		if secret[key] == nil || !strings.Contains(string(manifest), "--from-file="+key) || !strings.Contains(config, path) {
			t.Errorf("%s: not made by the command in the comment, not used by gateway.yaml, or unknown to this test", key)
		}
		mounted = append(mounted, key)
		if err := os.WriteFile(filepath.Join(mount, path), secret[key], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for key := range secret {
		if !slices.Contains(mounted, key) {
			t.Errorf("%s is not mounted", key)
		}
	}
	config = strings.Replace(config, "state_dir: /var/lib/tongyan", "state_dir: "+filepath.Join(dir, "state"), 1)
	file := filepath.Join(mount, "gateway.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(binary, "config", "check", file).CombinedOutput(); err != nil || strings.Contains(string(said), "warning") {
		t.Errorf("%v\n%s", err, said)
	}
}
