//go:build race

package engine

// raceEnabled says that the race detector is on, under which Go allocates where it does not otherwise.
const raceEnabled = true
