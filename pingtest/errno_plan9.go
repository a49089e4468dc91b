package pingtest

import "errors"

// errTooBig stands in for EMSGSIZE, which Plan 9 does not have.
var errTooBig = errors.New("message too long")
