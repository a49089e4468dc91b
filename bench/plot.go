//go:build linux

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The pictures are 700 pixels wide, at 96 to the inch.
const (
	pixel       = vg.Inch / 96
	width       = 700 * pixel
	legendRoom  = 26 * pixel // for each line of it
	fontSize    = 15 * pixel
	titleSize   = 18 * pixel
	lineWidth   = 2.5 * pixel
	pointRadius = 4 * pixel
)

// A curve is one contender's line in a picture. Colours are those of Okabe and Ito, which all eyes tell apart.
type curve struct {
	name   string
	color  color.Color
	dashes []vg.Length
}

var (
	blue       = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	green      = color.RGBA{0x00, 0x9e, 0x73, 0xff}
	vermillion = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	grey       = color.Gray{0xdd}
)

// drawPictures draws those of the pictures whose rows have been measured.
func drawPictures(dir string, samples map[string]map[string][]sample) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if row, ok := samples["rtt-error"]; ok {
		if err := drawRTTError(filepath.Join(dir, "rtt-error.svg"), row); err != nil {
			return err
		}
	}
	if row, ok := samples["scale"]; ok {
		return drawScale(filepath.Join(dir, "scale.svg"), row)
	}
	return nil
}

// drawRTTError draws which part of the RTTs is in error by how much at most.
func drawRTTError(path string, row map[string][]sample) error {
	p := newPlot("RTT over loopback, some 3 µs in truth, beside 4 busy goroutines", "RTT (µs)", "percent of the echoes")
	p.Y.Min, p.Y.Max = 0, 100
	p.Y.Tick.Marker = steps{20}
	var legend []entry
	for _, c := range []struct {
		row string
		curve
	}{
		{receive, curve{name: "this library", color: blue}},
		{wire, curve{"WithWireTimestamps", green, []vg.Length{8 * pixel, 3 * pixel}}},
		{proBingOne, curve{"pro-bing", vermillion, []vg.Length{2 * pixel, 3 * pixel}}},
	} {
		var all []time.Duration
		for _, s := range row[c.row] {
			all = append(all, s.RTTs...)
		}
		if len(all) == 0 {
			continue
		}
		line, err := c.line(cumulative(all))
		if err != nil {
			return err
		}
		p.Add(line)
		legend = append(legend, entry{fmt.Sprintf("%s: median %s µs, 99 %% within %s µs", c.name,
			number(microseconds(percentile(all, 0.5))), number(microseconds(percentile(all, 0.99)))), line})
	}
	p.X.Min, p.X.Max = max(1, math.Pow(10, math.Floor(math.Log10(p.X.Min)))), math.Pow(10, math.Ceil(math.Log10(p.X.Max)))
	return write(path, 440*pixel, []*plot.Plot{p}, legend)
}

// cumulative returns as many points of the distribution as show in the picture.
func cumulative(all []time.Duration) plotter.XYs {
	const points = 500
	slices.Sort(all)
	list := make(plotter.XYs, points+1)
	for i := range list {
		q := float64(i) / points
		list[i] = plotter.XY{X: microseconds(all[int(q*float64(len(all)-1))]), Y: 100 * q}
	}
	return list
}

// drawScale draws the rate and the cost of an echo over the number of targets. Each panel's title says what is on its Y
// axis: the plotting library would leave room for a label beside a logarithmic axis above it.
func drawScale(path string, row map[string][]sample) error {
	rate := newPlot("Echoes per second, one to each target, again and again", "number of targets", "")
	cost := newPlot("CPU time per echo (µs)", "number of targets", "")
	logarithmic(&rate.Y)
	logarithmic(&cost.Y)
	var legend []entry
	for _, c := range []struct {
		row     string
		targets []int
		curve
	}{
		{sweepName, scaled, curve{name: "this library's Sweep", color: blue}},
		{proBingOne, scaledProBing, curve{"pro-bing, 256 Pingers at a time", vermillion, []vg.Length{8 * pixel, 3 * pixel}}},
	} {
		for _, panel := range []struct {
			plot *plot.Plot
			of   func(sample) float64
		}{{rate, sample.rate}, {cost, sample.cpuPerEcho}} {
			var list plotter.XYs
			for _, n := range c.targets {
				var runs []float64
				for _, s := range row[scaledName(c.row, n)] {
					runs = append(runs, panel.of(s))
				}
				list = append(list, plotter.XY{X: float64(n), Y: percentile(runs, 0.5)})
			}
			line, err := c.line(list)
			if err != nil {
				return err
			}
			points, err := plotter.NewScatter(list)
			if err != nil {
				return err
			}
			points.GlyphStyle = draw.GlyphStyle{Color: c.color, Radius: pointRadius, Shape: draw.CircleGlyph{}}
			panel.plot.Add(line, points)
			if panel.plot == rate {
				legend = append(legend, entry{c.name, line})
			}
		}
	}
	for _, p := range []*plot.Plot{rate, cost} {
		p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(p.Y.Min))), math.Pow(10, math.Ceil(math.Log10(p.Y.Max)))
	}
	return write(path, 600*pixel, []*plot.Plot{rate, cost}, legend)
}

// newPlot returns a plot with a logarithmic X axis.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = titleSize
	p.Title.Padding = 8 * pixel
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = fontSize
		axis.Label.Padding = 4 * pixel
		axis.Tick.Label.Font.Size = fontSize
		axis.Tick.Length = 5 * pixel
		axis.Padding = 0
	}
	logarithmic(&p.X)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = grey, grey
	p.Add(grid)
	return p
}

func logarithmic(axis *plot.Axis) {
	axis.Scale = plot.LogScale{}
	axis.Tick.Marker = decades{}
}

func (c *curve) line(list plotter.XYs) (*plotter.Line, error) {
	line, err := plotter.NewLine(list)
	if err != nil {
		return nil, err
	}
	line.LineStyle = draw.LineStyle{Color: c.color, Width: lineWidth, Dashes: c.dashes}
	return line, nil
}

// decades are ticks at the powers of ten.
type decades struct{}

func (decades) Ticks(low, high float64) (ticks []plot.Tick) {
	for x := math.Pow(10, math.Floor(math.Log10(low))); x <= high*1.001; x *= 10 {
		ticks = append(ticks, plot.Tick{Value: x, Label: label(x)})
	}
	return ticks
}

// steps are ticks at the multiples of a number.
type steps struct{ by float64 }

func (s steps) Ticks(low, high float64) (ticks []plot.Tick) {
	for x := math.Ceil(low/s.by) * s.by; x <= high; x += s.by {
		ticks = append(ticks, plot.Tick{Value: x, Label: label(x)})
	}
	return ticks
}

// label is a number that keeps off the axis.
func label(x float64) string { return number(x) + " " }

// An entry is a line of the legend.
type entry struct {
	text string
	line *plotter.Line
}

// write draws the plots one below the other, and the legend below them, where it covers nothing.
func write(path string, height vg.Length, plots []*plot.Plot, entries []entry) error {
	svg := vgsvg.New(width, height)
	canvas := draw.New(svg)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	room := legendRoom*vg.Length(len(entries)) + 8*pixel
	column := make([][]*plot.Plot, len(plots))
	for i, p := range plots {
		column[i] = []*plot.Plot{p}
	}
	tiles := draw.Tiles{Cols: 1, Rows: len(plots), PadY: 10 * pixel}
	above := draw.Crop(canvas, 10*pixel, -24*pixel, room, -10*pixel)
	for i, row := range plot.Align(column, tiles, above) {
		plots[i].Draw(row[0])
	}
	legend := plot.NewLegend()
	legend.TextStyle.Font.Size = fontSize
	legend.Left = true
	legend.ThumbnailWidth = 50 * pixel
	legend.Padding = 6 * pixel
	for _, e := range entries {
		legend.Add(" "+e.text, e.line)
	}
	legend.Draw(draw.Crop(canvas, 70*pixel, 0, 4*pixel, room-height))

	var text bytes.Buffer
	if _, err := svg.WriteTo(&text); err != nil {
		return err
	}
	// Where the font is missing another without serifs stands in.
	named := []byte("font-family:Liberation Sans")
	generic := []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	return os.WriteFile(path, bytes.ReplaceAll(text.Bytes(), named, generic), 0o666)
}
