package client

import "net/http"

// Through has a client ask a stand-in for the network.
func (c *Client) Through(rt http.RoundTripper) { c.http.Transport = rt }
