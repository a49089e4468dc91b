// Package api keeps the public surface of the module's packages in text files, one for each, and the rules of what each
// package may import, with tests that
// compare. A change of the surface is a change for users; one of the rules is a door in a wall.
package api
