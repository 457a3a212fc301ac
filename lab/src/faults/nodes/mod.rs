//! Faults of several nodes and of the PostgreSQL that they share.

mod asked;
pub mod crowded;
pub mod cut;
pub mod database_ended;
pub mod fail_over;
pub mod first_admin;
pub mod full;
pub mod locked;
pub mod node_killed;
mod relay;
pub mod rolling;
pub mod stopped;

use std::time::Duration;

use rustix::process::Signal;
use xtask::run::{Outcome, Stop};

use crate::driver::postgres::NAME;
use crate::driver::{Instance, Postgres, Server};
use crate::faults::testbed::Testbed;
use relay::Relay;

/// What was asked before the database was gone is answered from memory for so long at most.
const WINDOW: Duration = Duration::from_millis(50);

/// Nodes on one database of users.
pub struct Cluster {
    pub postgres: Postgres,
    pub nodes: Vec<Node>,
}

pub struct Node {
    pub instance: Instance,
    /// What stands between it and the database.
    pub relay: Relay,
    server: Server,
}

impl Cluster {
    pub fn start(testbed: &Testbed, name: &str, nodes: usize) -> Result<Self, Stop> {
        let postgres = testbed.postgres(name)?;
        let node = |number| Node::start(testbed, &postgres, NAME, &format!("{name}-{number}"));
        let nodes = (1..=nodes).map(node).collect::<Result<_, _>>()?;
        Ok(Self { postgres, nodes })
    }

    pub fn instances(&self) -> Vec<Instance> {
        let instances = self.nodes.iter().map(|node| node.instance.clone());
        instances.collect()
    }
}

impl Node {
    pub fn start(
        testbed: &Testbed,
        postgres: &Postgres,
        database: &str,
        name: &str,
    ) -> Result<Self, Stop> {
        let relay = Relay::start(&postgres.folder)?;
        let url = format!("postgres://{NAME}@127.0.0.1:{}/{database}", relay.port);
        let instance = testbed
            .empty_instance(name)?
            .set("VESTIBULE_DATABASE_URL", url)
            .set("VESTIBULE_NODES__NAME", name);
        let server = instance.start()?;
        Ok(Self {
            instance,
            relay,
            server,
        })
    }

    pub fn signal(&self, signal: Signal) -> Outcome {
        self.server.signal(signal)
    }

    pub fn end(&mut self, signal: Signal) -> Outcome {
        self.server.signal(signal)?;
        self.server.ended().map(drop)
    }

    /// Starts it after it has ended.
    pub fn start_again(&mut self) -> Outcome {
        self.server = self.instance.start()?;
        Ok(())
    }
}
