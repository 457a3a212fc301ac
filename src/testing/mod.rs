//! What the fuzz targets and the laboratory take from here; not for others.

pub mod fuzzing;
pub mod in_process;
pub mod seeding;
