package ping

// PermitSays is what ErrNotPermitted says, but for the kernel's error: of a range of groups, the groups of a process,
// the map of its user namespace, and a network that belongs to one outside of that.
func PermitSays(kind SocketKind, value string, groups []uint32, gidMap string, outside bool) string {
	inTheWay, mended := (&permit{value, groups, gidMap, outside}).say(kind)
	return inTheWay + mended
}
