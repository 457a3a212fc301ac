//! A small picture of figures over numbers of sessions, as SVG; readable in light and dark.

use std::fmt::Write as _;

use crate::library::grouped;

pub struct Plot {
    pub title: &'static str,
    /// Each number ten times or more the one before.
    pub sessions: Vec<u64>,
    /// As many as there are [`COLOURS`] at most. A line that is alone needs no name.
    pub lines: Vec<Line>,
}

pub struct Line {
    pub name: &'static str,
    /// One for each number of sessions.
    pub figures: Vec<f64>,
}

const WIDTH: f64 = 480.0;
const LEFT: f64 = 30.0;
const RIGHT: f64 = 450.0;
/// Between the first place of a number of sessions and the left end, and as much at the right.
const INSET: f64 = 40.0;
const TALL: f64 = 130.0;
const TEXT: f64 = 18.0;
const RADIUS: f64 = 4.0;
/// From a point up to its label, and from one label up to the next.
const ABOVE: f64 = 9.0;
const LABEL: f64 = 14.0;

/// Classes of the style, each a colour and a dash.
const COLOURS: [&str; 3] = ["blue", "orange", "violet"];

/// Each text has an edge of the page's colour, so that it can be read where a line crosses it.
const STYLE: &str = "\
svg{color:#57606a}text{font:13px sans-serif;fill:currentColor;stroke:#fff;stroke-width:4;paint-order:stroke}polyline{fill:none;stroke:currentColor;stroke-width:2}
circle{fill:currentColor}.axis{stroke-width:1}.blue{color:#0969da}
.orange{color:#bc4c00}.orange polyline{stroke-dasharray:8 4}.violet{color:#8250df}.violet polyline{stroke-dasharray:2 4}
@media(prefers-color-scheme:dark){svg{color:#9198a1}text{stroke:#0d1117}.blue{color:#4493f8}.orange{color:#f0883e}.violet{color:#ab7df8}}";

impl Plot {
    /// The axis of sessions is logarithmic; that of figures begins at nothing.
    pub fn svg(&self) -> String {
        let bottom = self.top() + TALL;
        let height = bottom + 2.0 * TEXT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
             <style>{STYLE}</style>\n<title>{0}</title>\n<text x=\"{LEFT}\" y=\"{TEXT}\">{0}</text>\n\
             <polyline class=\"axis\" points=\"{LEFT},{bottom} {RIGHT},{bottom}\"/>\n",
            self.title
        );
        for (place, sessions) in self.sessions.iter().enumerate() {
            let what = if place == 0 { " sessions" } else { "" };
            let label = format!("{}{what}", grouped(sessions));
            svg += &text(self.across(place), bottom + TEXT, &label);
        }
        for (number, (line, colour)) in self.lines.iter().zip(COLOURS).enumerate() {
            let _ = writeln!(svg, "<g class=\"{colour}\">");
            if self.lines.len() > 1 {
                svg += &legend(number, line.name);
            }
            let mut points = Vec::new();
            for (place, figure) in line.figures.iter().enumerate() {
                let (x, y) = (self.across(place), self.down(*figure));
                points.push(format!("{x:.1},{y:.1}"));
                let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{RADIUS}\"/>");
            }
            let _ = writeln!(svg, "<polyline points=\"{}\"/>\n</g>", points.join(" "));
        }
        for place in 0..self.sessions.len() {
            for (line, y) in self.labels(place) {
                let label = short(self.lines[line].figures[place]);
                let label = text(self.across(place), y, &label);
                let _ = writeln!(svg, "<g class=\"{}\">{label}</g>", COLOURS[line]);
            }
        }
        svg + "</svg>\n"
    }

    /// Leaves room for a legend, and for as many labels above one another.
    #[expect(clippy::cast_precision_loss, reason = "a few lines")]
    fn top(&self) -> f64 {
        TEXT * 2.0 * self.lines.len() as f64 + TEXT
    }

    #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
    fn across(&self, place: usize) -> f64 {
        let power = |sessions: u64| (sessions.max(1) as f64).log10();
        let (first, last) = match self.sessions.as_slice() {
            [first, .., last] => (power(*first), power(*last)),
            _ => return f64::midpoint(LEFT, RIGHT),
        };
        let share = (power(self.sessions[place]) - first) / (last - first);
        LEFT + INSET + (RIGHT - LEFT - 2.0 * INSET) * share
    }

    fn down(&self, figure: f64) -> f64 {
        let figures = self.lines.iter().flat_map(|line| &line.figures);
        let most = figures.copied().fold(0.0, f64::max);
        self.top() + TALL - TALL * figure / most
    }

    /// Which lines have their labels how far down, the least figure first. A label stands above its
    /// point; those of points too close for that stand together above the highest of them.
    fn labels(&self, place: usize) -> Vec<(usize, f64)> {
        let point = |line: usize| self.down(self.lines[line].figures[place]);
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        order.sort_by(|a, b| point(*b).total_cmp(&point(*a)));
        let mut labels: Vec<(usize, f64)> = Vec::new();
        // Those from here on stand together, and reach up to `free`.
        let (mut first, mut free) = (0, f64::INFINITY);
        for line in order {
            let y = point(line);
            if y + RADIUS < free {
                first = labels.len();
            }
            labels.push((line, 0.0));
            free = y - ABOVE;
            for (_, label) in &mut labels[first..] {
                *label = free;
                free -= LABEL;
            }
        }
        labels
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few lines")]
fn legend(number: usize, name: &str) -> String {
    let y = TEXT * (number + 2) as f64;
    let (middle, end, after) = (y - 4.0, LEFT + 24.0, LEFT + 32.0);
    format!(
        "<polyline points=\"{LEFT},{middle} {end},{middle}\"/>\n<text x=\"{after}\" y=\"{y}\">{name}</text>\n"
    )
}

/// Around this place.
fn text(x: f64, y: f64, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{text}</text>\n")
}

/// With three digits, or all that stand before the point.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few digits, and a figure that is not below 0"
)]
pub fn short(figure: f64) -> String {
    if figure >= 1_000.0 {
        return grouped(figure.round() as u64);
    }
    let places = (2.0 - figure.log10().floor()).clamp(0.0, 4.0) as usize;
    format!("{figure:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(lines: &[&[f64]]) -> Plot {
        let lines = lines.iter().map(|figures| Line {
            name: "search: one user",
            figures: figures.to_vec(),
        });
        Plot {
            title: "checks",
            sessions: vec![10_000, 1_000_000],
            lines: lines.collect(),
        }
    }

    #[test]
    fn the_largest_figure_is_at_the_top_and_the_smallest_number_left() {
        let svg = plot(&[&[50.0, 100.0]]).svg();
        assert!(
            svg.contains("<polyline points=\"70.0,119.0 410.0,54.0\"/>"),
            "{svg}"
        );
    }

    #[test]
    fn labels_of_points_that_lie_close_stand_together_above_them() {
        let plot = plot(&[&[2.1, 2.2], &[2.0, 100.0]]);
        let (low, high) = (plot.down(2.1), plot.down(100.0));
        assert_eq!(plot.labels(0), [(1, low - ABOVE), (0, low - ABOVE - LABEL)]);
        assert_eq!(
            plot.labels(1),
            [(0, plot.down(2.2) - ABOVE), (1, high - ABOVE)]
        );
    }

    #[test]
    fn lines_have_a_legend_unless_there_is_one_alone() {
        let named = |lines: &[&[f64]]| plot(lines).svg().matches("search: one user").count();
        assert_eq!(named(&[&[1.0, 2.0]]), 0);
        assert_eq!(named(&[&[1.0, 2.0], &[1.0, 1.0]]), 2);
    }

    #[test]
    fn a_figure_has_three_digits() {
        let texts = [0.0167, 2.387, 26.12, 999.4, 62_431.7].map(short);
        assert_eq!(texts, ["0.0167", "2.39", "26.1", "999", "62,432"]);
    }
}
