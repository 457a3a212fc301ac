//! Threads that do nothing but hash: so many and no more, with a short queue before them. Each works
//! in memory of its own, which it keeps from one hash to the next and gives back when it rests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use argon2::{Block, Params};
use crossbeam_channel::{Receiver, Sender, bounded};
use rocket::tokio::sync::oneshot;
use zeroize::Zeroize;

use crate::foundation::error::Error;

/// Hashes that may wait for each thread; about a third of a second with the default parameters.
const QUEUE_PER_THREAD: usize = 16;

/// Where there is more to do than the processors can, requests come before passwords: a check takes
/// a hundredth of a hash's time.
const NICE: i32 = 10;

/// Without work for this long a thread rests.
const REST_AFTER: Duration = Duration::from_millis(100);

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// Cheap to clone; the threads end with the last clone.
#[derive(Clone)]
pub struct Threads(Sender<Job>);

impl Threads {
    /// # Errors
    /// The system has no thread to give.
    pub fn start(count: usize) -> Result<Self, Error> {
        let (jobs, queue) = bounded(count * QUEUE_PER_THREAD);
        for _ in 0..count {
            let queue = queue.clone();
            thread::Builder::new()
                .name("hashing".to_owned())
                .spawn(move || work_through(&queue))
                .map_err(Error::Thread)?;
        }
        Ok(Self(jobs))
    }

    /// Has one of the threads do `work`, once its turn comes.
    ///
    /// # Errors
    /// [`Error::Busy`]: the queue is full.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            // It is done to its end, though the one who asked may have left.
            let _ = tell.send(work(memory));
        });
        self.0.try_send(job).map_err(|_| Error::Busy)?;
        told.await.map_err(|_| Error::Busy)
    }

    /// How many wait for a thread now.
    pub fn queued(&self) -> usize {
        self.0.len()
    }
}

fn work_through(queue: &Receiver<Job>) {
    // Refused where a system allows no change: then they stand in line with the others.
    let _ = rustix::process::nice(NICE);
    let mut memory = Memory::default();
    while let Some(job) = next(queue, &mut memory) {
        // A panic is logged where it happens; the thread lives on.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
    }
}

/// `None`: there will never be more to do.
fn next(queue: &Receiver<Job>, memory: &mut Memory) -> Option<Job> {
    queue.recv_timeout(REST_AFTER).ok().or_else(|| {
        memory.give_back();
        queue.recv().ok()
    })
}

/// The system keeps no part of what was so large for later use, but takes it back: glibc's
/// `M_MMAP_THRESHOLD` never rises above it. Pages that are not written to cost nothing.
const ALWAYS_TAKEN_BACK: usize = 32 * 1024 * 1024 / Block::SIZE + 1;

/// The blocks that argon2 works in.
#[derive(Default)]
pub struct Memory(Vec<Block>);

impl Memory {
    /// As many as `params` ask for; a hash writes each before it reads it.
    pub fn blocks(&mut self, params: &Params) -> &mut [Block] {
        let count = params.block_count();
        if self.0.len() < count {
            self.give_back();
            self.0 = Vec::with_capacity(count.max(ALWAYS_TAKEN_BACK));
            self.0.resize(count, Block::default());
        }
        &mut self.0[..count]
    }

    fn give_back(&mut self) {
        self.0.iter_mut().zeroize();
        self.0 = Vec::new();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.give_back();
    }
}
