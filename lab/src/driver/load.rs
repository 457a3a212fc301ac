//! As many requests as a server answers, from `wrk` (Debian's) on one core.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use xtask::install::{Source, on_path};
use xtask::need::Need;
use xtask::run::{Stop, failed};

use super::Server;

pub const WRK: Need = Need {
    what: "wrk",
    why: "to ask servers as fast as they answer",
    present: || on_path("wrk"),
    source: Source::Debian(&["wrk"]),
};

pub const TASKSET: Need = Need {
    what: "taskset",
    why: "to give the server and the load a core each, or one together",
    present: || on_path("taskset"),
    source: Source::Debian(&["util-linux"]),
};

/// One request after the other, each with the next cookie, or header. wrk itself times all that it was told to wait,
/// also if the last request was sent long before.
const SCRIPT: &str = r#"
local ffi = require("ffi")
ffi.cdef [[
typedef struct { long seconds, micros; } timeval;
int gettimeofday(timeval *now, void *zone);
]]
local now = ffi.new("timeval")
local function micros()
  ffi.C.gettimeofday(now, nil)
  return tonumber(now.seconds) * 1000000 + tonumber(now.micros)
end
local requests, sent, most = {}, 0, math.huge
function init(arguments)
  most = tonumber(arguments[2]) or most
  for line in io.lines(arguments[1]) do
    local name, value = line:match("^(%a+): (.*)$")
    wrk.headers[name or "Cookie"] = value or line
    requests[#requests + 1] = wrk.format()
  end
end
function request()
  began = began or micros()
  if sent >= most then
    ended = ended or micros()
    wrk.thread:stop()
  end
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end
local thread
function setup(only)
  thread = only
end
function done(summary, latency)
  local e, ended = summary.errors, thread:get("ended")
  io.write(string.format('\n{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"errors":%d}\n',
    summary.requests, ended and ended - thread:get("began") or summary.duration,
    latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"#;

/// What is requested, over and over.
#[derive(Clone, Debug)]
pub struct Target {
    pub path: &'static str,
    pub headers: Vec<String>,
    /// A file with a cookie as `name=value`, or a header, a line.
    pub cookies: PathBuf,
}

/// What a server did under load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// Processor seconds for 1,000 requests.
    pub cpu: f64,
}

/// How much is requested.
#[derive(Clone, Copy, Debug)]
pub struct Wrk {
    /// Where it runs.
    pub core: &'static str,
    pub connections: usize,
    pub time: Duration,
    /// The last one ends it, if there is time for it.
    pub requests: Option<usize>,
}

impl Wrk {
    /// Over 64 connections.
    pub fn new(core: &'static str, time: Duration) -> Self {
        Self {
            core,
            connections: 64,
            time,
            requests: None,
        }
    }

    /// Each answer must be a 2xx.
    pub fn measure(self, folder: &Path, server: &Server, target: &Target) -> Result<Load, Stop> {
        let script = folder.join("load.lua");
        fs::write(&script, SCRIPT).map_err(failed("load.lua"))?;
        let mut wrk = Command::new("taskset");
        wrk.args(["-c", self.core, "wrk", "-t1"]);
        wrk.arg(format!("-c{}", self.connections));
        wrk.arg(format!("-d{}s", self.time.as_secs().max(1)));
        for header in &target.headers {
            wrk.args(["-H", header]);
        }
        wrk.arg("-s").arg(&script);
        wrk.arg(format!("http://{}{}", server.address, target.path));
        wrk.arg("--").arg(&target.cookies);
        wrk.args(self.requests.map(|most| most.to_string()));
        let before = server.process().cpu()?;
        let output = wrk.stdin(Stdio::null()).output().map_err(failed("wrk"))?;
        let cpu = server.process().cpu()?.saturating_sub(before);
        let text = String::from_utf8_lossy(&output.stdout);
        read(&text, cpu).ok_or_else(|| {
            let told = String::from_utf8_lossy(&output.stderr);
            Stop::because(format!(
                "{}: not every answer was a 2xx: {text}{told}",
                target.path
            ))
        })
    }
}

/// `None`: there were errors, or nothing is told.
#[expect(clippy::cast_precision_loss, reason = "counts of some minutes")]
fn read(text: &str, cpu: Duration) -> Option<Load> {
    let told = text.lines().find(|line| line.starts_with('{'))?;
    let told: Value = serde_json::from_str(told).ok()?;
    let number = |name: &str| told[name].as_u64();
    let requests = number("requests").filter(|requests| *requests > 0)? as f64;
    (number("errors")? == 0).then_some(Load {
        per_second: requests / (number("micros")? as f64 / 1_000_000.0),
        p50: Duration::from_micros(number("p50")?),
        p99: Duration::from_micros(number("p99")?),
        cpu: cpu.as_secs_f64() / requests * 1_000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_tells_is_read_and_an_error_is_no_figure() {
        let told = |errors| {
            format!(
                "Running…\n\n{{\"requests\":2000,\"micros\":1000000,\"p50\":700,\"p99\":1100,\"errors\":{errors}}}\n"
            )
        };
        let load = read(&told(0), Duration::from_secs(1)).unwrap();
        assert_eq!((load.per_second, load.cpu), (2_000.0, 0.5));
        assert_eq!(load.p99, Duration::from_micros(1_100));
        assert!(read(&told(1), Duration::ZERO).is_none());
        assert!(read("Segmentation fault", Duration::ZERO).is_none());
    }
}
