//! What a verification costs: as much for each password, whatever hash it is compared to.

use std::sync::{Mutex, PoisonError};

use argon2::Params;

use super::foreign::Foreign;
use super::scheme::Scheme;

/// What takes the time of hashes, of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    argon2: Argon2Cost,
    /// Rounds of each [`Scheme`].
    foreign: [u32; Scheme::ALL.len()],
}

/// Lanes take none: they are computed one after another.
#[derive(Clone, Copy, Debug, Default)]
struct Argon2Cost {
    memory_kib: u32,
    iterations: u32,
}

impl Cost {
    pub fn of_argon2(params: &Params) -> Self {
        Self {
            argon2: Argon2Cost {
                memory_kib: params.m_cost(),
                iterations: params.t_cost(),
            },
            ..Self::default()
        }
    }

    pub fn of_foreign(foreign: &Foreign<'_>) -> Self {
        let mut cost = Self::default();
        cost.foreign[foreign.scheme as usize] = foreign.rounds;
        cost
    }

    /// A hash of argon2's for what `spent` is less than this, in no more memory.
    pub fn argon2_less(self, spent: Self) -> Option<Params> {
        let rest = self.argon2.blocks().saturating_sub(spent.argon2.blocks());
        let iterations = rest.div_ceil(self.argon2.memory_kib.into());
        let memory_kib = rest.checked_div(iterations)?;
        let (memory_kib, iterations) = (memory_kib.try_into().ok()?, iterations.try_into().ok()?);
        // `None`, too, for less than the least that argon2 takes.
        Params::new(memory_kib, iterations, 1, None).ok()
    }

    /// The rounds of each other scheme by which `spent` is less than this.
    pub fn foreign_less(self, spent: Self) -> impl Iterator<Item = (Scheme, u32)> {
        let rest = move |scheme: Scheme| {
            let (all, spent) = (
                self.foreign[scheme as usize],
                spent.foreign[scheme as usize],
            );
            (scheme, all.saturating_sub(spent))
        };
        Scheme::ALL
            .into_iter()
            .map(rest)
            .filter(|(_, rest)| *rest > 0)
    }
}

impl Argon2Cost {
    /// How many blocks of memory are written.
    fn blocks(self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }
}

/// The dearest hash of each kind that there is.
#[derive(Debug)]
pub struct Dearest(Mutex<Cost>);

impl Dearest {
    pub fn new(cost: Cost) -> Self {
        Self(Mutex::new(cost))
    }

    /// Whether this costs more, of any kind.
    pub fn is_below(&self, cost: Cost) -> bool {
        let dearest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cost.argon2.blocks() > dearest.argon2.blocks()
            || cost.foreign_less(*dearest).next().is_some()
    }

    /// What each verification costs, of which `cost` is one now.
    pub fn raise(&self, cost: Cost) -> Cost {
        let mut dearest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cost.argon2.blocks() > dearest.argon2.blocks() {
            dearest.argon2 = cost.argon2;
        }
        for (dearest, rounds) in dearest.foreign.iter_mut().zip(cost.foreign) {
            *dearest = rounds.max(*dearest);
        }
        *dearest
    }
}
