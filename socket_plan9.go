package ping

import "errors"

// errTooBig stands in for EMSGSIZE, which Plan 9 does not have: no error of a transport wraps it.
var errTooBig = errors.New("message too long")
