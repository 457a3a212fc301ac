//! The straight line that fits best, and how sure it is.

/// How much something grows in an hour, give or take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    pub per_hour: f64,
    /// Twice the standard error: 19 of 20 lines lie within, if the noise is no pattern.
    pub spread: f64,
}

impl Trend {
    /// Of values at seconds; least squares.
    pub fn of(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|(x, y)| of(x - mean_x, y - mean_y)).sum()
        };
        let width = sum(&|x, _| x * x);
        let slope = sum(&|x, y| x * y) / width;
        let misses = sum(&|x, y| (y - slope * x).powi(2));
        let error = (misses / (count - 2.0) / width).sqrt();
        Self {
            per_hour: slope * 3_600.0,
            spread: 2.0 * error * 3_600.0,
        }
    }

    /// What has surely been added after this long.
    pub fn surely_added(&self, seconds: f64) -> f64 {
        (self.per_hour - self.spread) * seconds / 3_600.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(noise: impl Fn(u32) -> f64) -> Vec<(f64, f64)> {
        (0..100)
            .map(|n| (f64::from(n), 50.0 + f64::from(n) / 3_600.0 + noise(n)))
            .collect()
    }

    #[test]
    fn a_line_is_found_and_is_sure() {
        let trend = Trend::of(&line(|_| 0.0));
        assert!((trend.per_hour - 1.0).abs() < 1e-6, "{trend:?}");
        assert!(trend.spread < 1e-6, "{trend:?}");
    }

    #[test]
    fn noise_makes_it_less_sure() {
        // 0 to 12 in turn: a deviation of 3.74, over 100 seconds whose squares add up to 289 squared.
        let trend = Trend::of(&line(|n| f64::from(n * 7_919 % 13)));
        let spread = 2.0 * 3_600.0 * 3.74 / 289.0;
        assert!((trend.spread - spread).abs() < 3.0, "{trend:?}");
        assert!(trend.surely_added(100.0) < 0.0);
    }
}
