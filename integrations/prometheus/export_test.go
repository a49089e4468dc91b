package pingprom

// Kept returns of how many targets the metrics are kept.
func (g *Gatherer) Kept() int { return len(g.idle.rows) }
