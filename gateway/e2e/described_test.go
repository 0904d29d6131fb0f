package e2e

import (
	"net/http"
	"sync"

	"tongyan/gateway/internal/api/apitest"
)

var document = sync.OnceValues(apitest.New)

// asDescribed returns an error where an exchange is not as /openapi.json says:
// every test here is a test of that, too.
func asDescribed(req *http.Request, body string, res *http.Response, answer []byte) error {
	c, err := document()
	if err != nil {
		return err
	}
	return c.Check(&apitest.Exchange{
		Method: req.Method, Path: req.URL.Path, Asked: req.Header, AskedBody: []byte(body),
		Status: res.StatusCode, Answered: res.Header, Body: answer,
	})
}
