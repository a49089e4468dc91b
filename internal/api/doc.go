// Package api keeps the public surface of the module's packages in text files, one for each, and has a test that
// compares. A change of them is a change for users.
package api
