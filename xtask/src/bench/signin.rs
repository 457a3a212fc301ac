//! Signing in, against what the machine's processors can hash: all else about a sign-in should cost
//! next to nothing.

use std::thread;
use std::time::{Duration, Instant};

use argon2::{Argon2, Block, Params};

use super::client::Client;
use super::data::{Folder, SMALL};
use super::failed;
use super::server::{self, PASSWORD, Server};
use crate::run::{Outcome, Stop, say};

const FLOOR: f64 = 0.85;
const GOAL: f64 = 0.95;

const ROUNDS: (usize, Duration) = (15, Duration::from_secs(2));
const QUICK_ROUNDS: (usize, Duration) = (3, Duration::from_millis(500));

/// Browsers that sign in at once, for each processor: there is always a password that waits.
const BROWSERS_PER_CORE: usize = 4;

/// What both sides did in a second of one round.
struct Round {
    hashes: f64,
    sign_ins: f64,
}

pub struct Rates(Vec<Round>);

pub fn run(quick: bool) -> Result<Rates, Stop> {
    let (rounds, length) = if quick { QUICK_ROUNDS } else { ROUNDS };
    server::build()?;
    let folder = Folder::create()?;
    let database = folder.database(SMALL)?;
    let cores = thread::available_parallelism()
        .map_err(failed("the number of processors"))?
        .get();
    let names: Vec<String> = (0..cores * BROWSERS_PER_CORE)
        .map(|number| format!("bench-{number}"))
        .collect();
    for name in &names {
        server::add_user(&database, name, &[])?;
    }
    let server = Server::start(&database)?;
    say(&format!("measuring, {rounds} rounds of each side"));
    let mut measured = Vec::new();
    // In turn, so that whatever else the machine does hits both alike. The first round warms up.
    for round in 0..=rounds {
        let browsers: Result<Vec<_>, Stop> =
            names.iter().map(|name| browser(&server, name)).collect();
        let one = Round {
            hashes: rate(length, (0..cores).map(|_| processor()).collect())?,
            sign_ins: rate(length, browsers?)?,
        };
        if round > 0 {
            measured.push(one);
        }
    }
    Ok(Rates(measured))
}

/// How often the workers together did their work in a second.
fn rate<Work: FnMut() -> Outcome + Send>(
    length: Duration,
    workers: Vec<Work>,
) -> Result<f64, Stop> {
    thread::scope(|scope| {
        let running: Vec<_> = workers
            .into_iter()
            .map(|work| scope.spawn(move || rate_of(length, work)))
            .collect();
        running
            .into_iter()
            .map(|worker| worker.join().expect("a worker that does not panic"))
            .sum()
    })
}

fn rate_of(length: Duration, mut work: impl FnMut() -> Outcome) -> Result<f64, Stop> {
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < length {
        work()?;
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

/// Hashes as the server does by default, in the same memory again and again.
fn processor() -> impl FnMut() -> Outcome {
    let argon2 = Argon2::default();
    let mut blocks = vec![Block::default(); argon2.params().block_count()];
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    move || {
        argon2
            .hash_password_into_with_memory(
                PASSWORD.as_bytes(),
                &[0; argon2::RECOMMENDED_SALT_LEN],
                &mut output,
                &mut blocks,
            )
            .map_err(failed("argon2"))
    }
}

/// Signs in, again and again.
fn browser(server: &Server, name: &str) -> Result<impl FnMut() -> Outcome, Stop> {
    let mut client = Client::connect(server.address).map_err(failed("no connection"))?;
    let form = format!("username={name}&password={}", PASSWORD.replace(' ', "+"));
    Ok(move || {
        let answer = client.post("/login", &form);
        match answer.map_err(failed("POST /login"))?.status {
            303 => Ok(()),
            status => Err(Stop::because(format!("POST /login: {status}"))),
        }
    })
}

impl Rates {
    pub fn print(&self, json: bool) {
        let [hashes, sign_ins, ratio] = [
            self.median(|round| round.hashes),
            self.median(|round| round.sign_ins),
            self.ratio(),
        ];
        let verdict = match ratio {
            GOAL.. => "goal",
            FLOOR.. => "floor",
            _ => "MISSED",
        };
        if json {
            let row = serde_json::json!({
                "rounds": self.0.len(), "sign_ins_per_s": sign_ins, "hashes_per_s": hashes,
                "ratio": ratio, "goal": GOAL, "floor": FLOOR, "verdict": verdict,
            });
            println!("{}", serde_json::json!({ "signin": row }));
            return;
        }
        println!(
            "medians of {} rounds; ratio: the median of each round's",
            self.0.len()
        );
        println!("sign-ins/s  argon2/s  ratio  goal/floor  verdict");
        println!("{sign_ins:>10.1} {hashes:>9.1} {ratio:>6.3}   {GOAL}/{FLOOR}  {verdict}");
    }

    fn ratio(&self) -> f64 {
        self.median(|round| round.sign_ins / round.hashes)
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut all: Vec<f64> = self.0.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }
}
