//! A small picture of figures over numbers of sessions, as SVG; readable in light and dark.

use std::fmt::Write as _;

pub struct Plot {
    pub title: &'static str,
    /// Sessions, each number ten times or more the one before, and the figure there.
    pub points: Vec<(u64, f64)>,
}

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 440.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 180.0;

const STYLE: &str = "text{font:13px sans-serif;fill:#57606a}line{stroke:#8c959f}polyline{fill:none;stroke:#0969da;stroke-width:2}circle{fill:#0969da}";

impl Plot {
    /// The axis of sessions is logarithmic; that of figures begins at nothing.
    pub fn svg(&self) -> String {
        let most = self
            .points
            .iter()
            .map(|(_, figure)| *figure)
            .fold(0.0, f64::max);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
             <style>{STYLE}</style>\n<title>{0}</title>\n<text x=\"{LEFT}\" y=\"20\">{0}</text>\n\
             <line x1=\"{LEFT}\" y1=\"{BOTTOM}\" x2=\"{RIGHT}\" y2=\"{BOTTOM}\"/>\n",
            self.title
        );
        let mut line = String::new();
        for (sessions, figure) in &self.points {
            let (x, y) = (
                self.across(*sessions),
                BOTTOM - (BOTTOM - TOP) * figure / most,
            );
            let _ = write!(line, "{x:.1},{y:.1} ");
            let _ = write!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\n\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
                 <text x=\"{x:.1}\" y=\"200\" text-anchor=\"middle\">{}</text>\n",
                y - 10.0,
                short(*figure),
                grouped(*sessions)
            );
        }
        let _ = write!(svg, "<polyline points=\"{}\"/>\n</svg>\n", line.trim_end());
        svg
    }

    #[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
    fn across(&self, sessions: u64) -> f64 {
        let place = |sessions: u64| (sessions.max(1) as f64).log10();
        let (first, last) = match self.points.as_slice() {
            [(first, _), .., (last, _)] => (place(*first), place(*last)),
            _ => return f64::midpoint(LEFT, RIGHT),
        };
        LEFT + 30.0 + (RIGHT - LEFT - 60.0) * (place(sessions) - first) / (last - first)
    }
}

fn short(figure: f64) -> String {
    if figure < 100.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.0}")
    }
}

/// `1,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            ["7", "1,000", "10,000,000"].map(str::to_owned),
            [7, 1_000, 10_000_000].map(grouped)
        );
    }

    #[test]
    fn the_largest_figure_is_at_the_top_and_the_smallest_number_left() {
        let plot = Plot {
            title: "checks",
            points: vec![(10_000, 50.0), (1_000_000, 100.0)],
        };
        let svg = plot.svg();
        assert!(
            svg.contains("<polyline points=\"70.0,115.0 410.0,50.0\"/>"),
            "{svg}"
        );
    }
}
