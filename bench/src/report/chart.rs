//! A chart as SVG text: real axes with units, a title, a legend.
//!
//! plotters draws it, without fonts of its own: text stays text and the reader's browser sets it.

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By powers of ten.
    Log,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its word in the legend.
    pub name: String,
    /// Its points in order.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// What is to the right, with its unit.
    pub x: &'a str,
    /// What is upwards, with its unit.
    pub y: &'a str,
    /// How `x` lies.
    pub x_scale: Scale,
    /// How `y` lies.
    pub y_scale: Scale,
    /// The words for values of `x`.
    pub show_x: &'a dyn Fn(f64) -> String,
    /// The words for values of `y`.
    pub show_y: &'a dyn Fn(f64) -> String,
    /// Show the points themselves, too.
    pub dots: bool,
    /// The lines.
    pub lines: Vec<Line>,
}

const SIZE: (u32, u32) = (860, 380);
/// Colours that differ in lightness, too.
const COLOURS: [RGBColor; 6] = [
    RGBColor(31, 90, 166),
    RGBColor(214, 92, 20),
    RGBColor(36, 133, 82),
    RGBColor(138, 60, 150),
    RGBColor(110, 110, 110),
    RGBColor(176, 28, 46),
];

impl Chart<'_> {
    /// The chart as a `<figure>` with its legend below, where it covers nothing.
    pub fn figure(&self) -> String {
        let mut figure = format!("<figure>{}<figcaption>", self.svg());
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let RGBColor(r, g, b) = *colour;
            let name = super::html::escape(&line.name);
            figure.push_str(&format!(
                "<span><b style=\"color:rgb({r},{g},{b})\">&#9644;</b> \
                {name}</span> "
            ));
        }
        figure + "</figcaption></figure>"
    }

    /// The chart as an `<svg>` element; a sentence where there is nothing to draw.
    fn svg(&self) -> String {
        let Some((x, y)) = self.ranges() else {
            return format!("<p>{}: nothing was measured.</p>", self.title);
        };
        let mut svg = String::new();
        let drawn = match (self.x_scale, self.y_scale) {
            (Scale::Linear, Scale::Linear) => {
                self.draw::<RangedCoordf64, RangedCoordf64, _, _>(&mut svg, x.0..x.1, y.0..y.1)
            }
            (Scale::Linear, Scale::Log) => self.draw::<RangedCoordf64, LogCoord<f64>, _, _>(
                &mut svg,
                x.0..x.1,
                (y.0..y.1).log_scale(),
            ),
            (Scale::Log, Scale::Linear) => self.draw::<LogCoord<f64>, RangedCoordf64, _, _>(
                &mut svg,
                (x.0..x.1).log_scale(),
                y.0..y.1,
            ),
            (Scale::Log, Scale::Log) => self.draw::<LogCoord<f64>, LogCoord<f64>, _, _>(
                &mut svg,
                (x.0..x.1).log_scale(),
                (y.0..y.1).log_scale(),
            ),
        };
        match drawn {
            Ok(()) => svg,
            Err(error) => format!("<p>{}: not drawn, {error}.</p>", self.title),
        }
    }

    /// The ends of both axes; none where no line has a point.
    fn ranges(&self) -> Option<((f64, f64), (f64, f64))> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = range(points().map(|p| p.0), self.x_scale)?;
        let y = range(points().map(|p| p.1), self.y_scale)?;
        let y = match self.y_scale {
            Scale::Linear => (0.0, y.1 * 1.08),
            Scale::Log => (y.0 / 1.3, y.1 * 1.3),
        };
        Some((x, y))
    }

    fn draw<CX, CY, X, Y>(&self, svg: &mut String, x: X, y: Y) -> Result<(), String>
    where
        X: AsRangedCoord<CoordDescType = CX, Value = f64>,
        Y: AsRangedCoord<CoordDescType = CY, Value = f64>,
        CX: plotters::coord::ranged1d::Ranged<ValueType = f64> + ValueFormatter<f64>,
        CY: plotters::coord::ranged1d::Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .caption(self.title, ("sans-serif", 17))
            .margin(12)
            .margin_right(44)
            .x_label_area_size(46)
            .y_label_area_size(78)
            .build_cartesian_2d(x, y)
            .map_err(|e| text(&e))?;
        let (show_x, show_y) = (|v: &f64| (self.show_x)(*v), |v: &f64| (self.show_y)(*v));
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_labels(9)
            .y_labels(7)
            .x_label_formatter(&show_x)
            .y_label_formatter(&show_y)
            .bold_line_style(RGBColor(214, 214, 214))
            .light_line_style(RGBColor(242, 242, 242))
            .label_style(("sans-serif", 12))
            .axis_desc_style(("sans-serif", 13))
            .draw()
            .map_err(|e| text(&e))?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(2);
            let series = LineSeries::new(line.points.iter().copied(), style);
            chart.draw_series(series).map_err(|e| text(&e))?;
            if self.dots {
                let dots = line.points.iter().map(|p| Circle::new(*p, 3, colour.filled()));
                chart.draw_series(dots).map_err(|e| text(&e))?;
            }
        }
        root.present().map_err(|e| text(&e))
    }
}

/// The least and the most of `values`, apart from each other; above zero for a log scale.
fn range(values: impl Iterator<Item = f64>, scale: Scale) -> Option<(f64, f64)> {
    let fits = |v: &f64| v.is_finite() && (scale == Scale::Linear || *v > 0.0);
    let mut values = values.filter(fits);
    let first = values.next()?;
    let (low, high) = values.fold((first, first), |(low, high), v| (low.min(v), high.max(v)));
    let high = if high > low { high } else { low.abs().max(1e-9) * 2.0 };
    Some((low, high))
}
