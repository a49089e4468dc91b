package pingotel

// Kept returns of how many targets something is kept.
func (p *Producer) Kept() int { return len(p.collector.rows) }
