package api

// Routes lists the pages, as "GET /docs".
func (a *API) Routes() (all []string) {
	for path, r := range a.routes {
		all = append(all, r.method+" "+path)
	}
	return all
}
