package ping

// InTheWay is what ErrNotPermitted says of the range of groups that may have sockets.
var InTheWay = inTheWay
