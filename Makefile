# check passes the tests; faults breaks everything and writes docs/faults.md, in
# about an hour. A part alone: make faults ONLY=TestTable/Redis
ONLY = .

.PHONY: check faults
check:
	./check
faults:
	cd faults && go test -record -count=1 -timeout 3h -v -run '$(ONLY)' .
