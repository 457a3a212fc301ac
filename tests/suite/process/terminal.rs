//! At a terminal the program asks for passwords, and shows none.

use std::io::Write;
use std::process::Stdio;

use super::{Machine, Server, is_there, program, wait_for};
use crate::support::PASSWORD;

/// Runs a command on a terminal of its own, types an answer to each prompt, and returns the exit
/// code with all that the terminal showed.
fn at_a_terminal(machine: &Machine, arguments: &str, answers: [&str; 2]) -> (Option<i32>, String) {
    let mut command = machine.command("script");
    command.args(["--quiet", "--return", "--echo", "never", "--command"]);
    command
        .arg(format!("{} {arguments}", program()))
        .arg("/dev/null");
    command.stdin(Stdio::piped());
    let mut child = command.spawn().expect("script starts");
    let mut terminal = child.stdin.take().expect("a pipe");
    let mut server = Server::of(child);
    for (prompt, answer) in ["Password: ", "Once more: "].iter().zip(answers) {
        wait_for(prompt, || server.out().contains(prompt).then_some(()));
        writeln!(terminal, "{answer}").expect("a terminal");
    }
    (server.ended().code(), server.out())
}

#[test]
fn user_add_asks_twice_and_shows_nothing_of_what_is_typed() {
    if !is_there("script", "passwords are asked for without echo") {
        return;
    }
    let machine = Machine::new();
    let (code, shown) = at_a_terminal(&machine, "user add alice", [PASSWORD, PASSWORD]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("Added alice.") && !shown.contains(PASSWORD),
        "{shown}"
    );
    let _server = machine.start();
    machine.signed_in("alice");
}

#[test]
fn two_different_answers_change_nothing() {
    if !is_there("script", "two different answers change nothing") {
        return;
    }
    let machine = Machine::new();
    let (code, shown) = at_a_terminal(&machine, "user add alice", [PASSWORD, "something else"]);
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("not the same"), "{shown}");
    assert!(machine.files().is_empty());
}
