package sdjwt

// Process is what the published examples, which are no licences, run through.
var Process = process
