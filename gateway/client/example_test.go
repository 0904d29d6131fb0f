package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"tongyan/gateway/client"
)

func Example() {
	gateway := start(true) // stands in for https://gateway.example
	defer gateway.Close()

	c, err := client.New(gateway.options()) // client.Options{URL: …, Key: …}
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()

	v, err := c.Verify(ctx, &client.Request{Credential: "valid", Purpose: "account-opening", Reference: "2026-000123"})
	var problem *client.Problem
	switch {
	case errors.As(err, &problem):
		fmt.Println("not taken:", problem.Code, "ask again in", problem.RetryAfter)
	case err != nil:
		fmt.Println("no answer:", err)
	case v.Valid():
		fmt.Println("good:", v.Licence.Uniscid, v.Licence.Entname)
	case v.Outcome == client.Invalid:
		fmt.Println("refused:", v.Code)
	default: // INDETERMINATE: nobody knows
		fmt.Println("ask again later:", v.Code)
	}
	// Output: good: 91310000MA1K35Y38P 上海示例有限公司
}

func ExampleClient_Batch() {
	gateway := start(true)
	defer gateway.Close()
	c, err := client.New(gateway.options())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	credentials := []string{"valid", "revoked", "no licence at all"}
	requests := func(yield func(*client.Request) bool) {
		for _, credential := range credentials {
			if !yield(&client.Request{Credential: credential}) {
				return
			}
		}
	}
	for line, err := range c.Batch(context.Background(), requests) {
		switch {
		case err != nil:
			fmt.Println("the rest was not answered:", err)
		case line.Problem != nil:
			fmt.Println(line.Seq, line.Problem.Code)
		default:
			fmt.Println(line.Seq, line.Verdict.Outcome, line.Verdict.Code)
		}
	}
	// Output:
	// 0 VALID OK
	// 1 INVALID REGISTRATION_REVOKED
	// 2 BAD_REQUEST
}

func ExampleClient_VerifyReceipt() {
	gateway := start(true)
	defer gateway.Close()
	c, err := client.New(gateway.options())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()

	v, err := c.Verify(ctx, &client.Request{Credential: "valid", Receipt: true})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := c.VerifyReceipt(ctx, v.Receipt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Valid, answer.Code)
	// Output: true OK
}
