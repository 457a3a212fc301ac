//! A bar a day, drawn from counts alone: refused sign-ins stand upon the ones that succeeded.

use serde::Serialize;

use crate::foundation::clock::Timestamp;

/// In the units of the drawing, which a page stretches as it likes.
const COLUMN: i64 = 24;
const BAR: i64 = 18;
const HEIGHT: i64 = 160;

/// What is known of a day.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    pub start: Timestamp,
    pub ok: i64,
    pub refused: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Chart {
    pub days: Vec<Bar>,
    pub width: i64,
    pub height: i64,
    /// The width of a bar.
    pub bar: i64,
    /// What the full height stands for; 0 if there is nothing to draw.
    pub max: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Bar {
    pub date: String,
    pub label: String,
    pub ok: i64,
    pub refused: i64,
    pub x: i64,
    pub ok_y: i64,
    pub ok_height: i64,
    pub refused_y: i64,
    pub refused_height: i64,
}

impl Chart {
    #[must_use]
    pub fn of(days: Vec<Day>) -> Self {
        let max = days.iter().map(|day| day.ok + day.refused).max();
        let max = max.unwrap_or_default();
        let bars = (0..).zip(&days);
        Self {
            width: COLUMN * i64::try_from(days.len()).unwrap_or_default(),
            height: HEIGHT,
            bar: BAR,
            max,
            days: bars.map(|(place, day)| Bar::of(place, day, max)).collect(),
        }
    }
}

impl Bar {
    fn of(place: i64, day: &Day, max: i64) -> Self {
        let ok_height = height(day.ok, max);
        let refused_height = height(day.refused, max);
        let ok_y = HEIGHT - ok_height;
        Self {
            date: day.start.date(),
            label: day.start.day_and_month(),
            ok: day.ok,
            refused: day.refused,
            x: place * COLUMN + (COLUMN - BAR) / 2,
            ok_y,
            ok_height,
            refused_y: ok_y - refused_height,
            refused_height,
        }
    }
}

/// Rounded down, but not to nothing: one sign-in among thousands is still seen.
fn height(count: i64, max: i64) -> i64 {
    if count == 0 {
        return 0;
    }
    (count * HEIGHT / max.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BAR, COLUMN, Chart, Day, HEIGHT};
    use crate::foundation::clock::Timestamp;

    fn chart(counts: &[(i64, i64)]) -> Chart {
        let first = Timestamp::parse("2026-02-27T00:00:00Z").expect("a time");
        let days = (0..).zip(counts).map(|(number, (ok, refused))| Day {
            start: first.plus(Duration::from_secs(86_400) * number),
            ok: *ok,
            refused: *refused,
        });
        Chart::of(days.collect())
    }

    #[test]
    fn the_highest_day_fills_the_height_and_the_others_are_in_proportion() {
        let chart = chart(&[(3, 1), (2, 0), (0, 1)]);
        assert_eq!(chart.max, 4);
        let heights: Vec<_> = chart
            .days
            .iter()
            .map(|bar| (bar.ok_height, bar.refused_height))
            .collect();
        assert_eq!(heights, [(120, 40), (80, 0), (0, 40)]);
    }

    #[test]
    fn refused_ones_stand_upon_the_others_and_all_on_the_ground() {
        let chart = chart(&[(3, 1), (0, 2)]);
        for bar in &chart.days {
            assert_eq!(bar.ok_y + bar.ok_height, HEIGHT);
            assert_eq!(bar.refused_y + bar.refused_height, bar.ok_y);
        }
    }

    #[test]
    fn one_among_thousands_is_seen_and_nothing_leaves_the_drawing() {
        for counts in [(999_999, 1), (1, 999_999), (1, 1), (5_000, 5_001), (7, 0)] {
            let chart = chart(&[counts, (1, 1), (1, 0), (0, 1_000_000)]);
            for bar in &chart.days {
                assert_eq!(bar.ok > 0, bar.ok_height > 0);
                assert_eq!(bar.refused > 0, bar.refused_height > 0);
                assert!(bar.refused_y >= 0, "{bar:?}");
            }
        }
    }

    #[test]
    fn columns_stand_side_by_side_within_the_width() {
        let chart = chart(&[(1, 0); 30]);
        assert_eq!(chart.width, 30 * COLUMN);
        for pair in chart.days.windows(2) {
            assert_eq!(pair[1].x - pair[0].x, COLUMN);
        }
        assert!(chart.days[0].x >= 0 && chart.days[29].x + BAR <= chart.width);
    }

    #[test]
    fn no_sign_in_at_all_draws_nothing() {
        let chart = chart(&[(0, 0); 3]);
        assert_eq!(chart.max, 0);
        assert!(
            chart
                .days
                .iter()
                .all(|bar| bar.ok_height + bar.refused_height == 0)
        );
    }

    #[test]
    fn days_are_named_by_their_date() {
        let chart = chart(&[(0, 0); 3]);
        let names: Vec<_> = chart
            .days
            .iter()
            .map(|bar| (bar.date.as_str(), bar.label.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("2026-02-27", "27 Feb"),
                ("2026-02-28", "28 Feb"),
                ("2026-03-01", "1 Mar")
            ]
        );
    }
}
