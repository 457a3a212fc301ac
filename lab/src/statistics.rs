//! What many measurements amount to.

use std::time::Duration;

/// The smallest that at least this share of all stays at or below.
pub fn quantile(durations: &[Duration], share: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list of some thousands"
    )]
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.max(1) - 1).copied().unwrap_or_default()
}

/// Of each item's figure; not a number if there are no items.
pub fn median<T>(items: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = items.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_what_was_measured() {
        let up_to = |most| -> Vec<_> { (1..=most).rev().map(Duration::from_millis).collect() };
        assert_eq!(quantile(&up_to(100), 0.5), Duration::from_millis(50));
        assert_eq!(quantile(&up_to(100), 0.99), Duration::from_millis(99));
        assert_eq!(quantile(&up_to(1), 0.99), Duration::from_millis(1));
        assert_eq!(quantile(&up_to(3), 0.99), Duration::from_millis(3));
        assert_eq!(quantile(&[], 0.99), Duration::ZERO);
    }

    #[test]
    fn a_median_is_the_figure_in_the_middle() {
        assert_eq!(median(&[9_u8, 1, 5], |item| f64::from(*item)), 5.0);
        assert!(median(&[], |item: &u8| f64::from(*item)).is_nan());
    }
}
