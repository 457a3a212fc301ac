//! Invitations from the command line, beside a running server.

use serde_json::json;

use super::Machine;
use crate::support::PASSWORD;

const ID: &str = "01a20fa2-4735-76d8-8c61-04e427c8133d";

#[test]
fn invite_prints_the_link_alone_and_an_account_comes_of_it() {
    let machine = Machine::new();
    let server = machine.start();
    let invited = machine
        .cli(&["invite", "--group", "family", "--email", "bob@example.com"])
        .done();
    assert!(
        invited.err.contains("hand the link over"),
        "{}",
        invited.err
    );
    let (lines, link) = (invited.out.lines().count(), invited.out.trim());
    assert_eq!(lines, 1, "{link}");
    let (_, path) = link.split_once("/invitation/").expect("a link");
    let path = format!("/invitation/{path}");
    let mut bob = machine.anonymous();
    assert_eq!(bob.get(&path).status, 200);
    let fields = [("username", "bob"), ("new_password", PASSWORD)];
    assert_eq!(bob.post(&path, &fields).status, 303);
    let user = machine.cli(&["user", "show", "bob", "--json"]).done();
    assert_eq!(user.json()["groups"], json!(["family"]));
    assert_eq!(user.json()["email"], "bob@example.com");
    let log = format!("{}{}", server.out(), server.err());
    assert!(!log.contains(&path), "no link is logged");
}

#[test]
fn invitations_lists_what_is_good_and_revokes_it() {
    let machine = Machine::new();
    let _server = machine.start();
    let none = machine.cli(&["invitations"]).done();
    assert!(none.out.contains("There are no invitations."));
    let made = machine.cli(&["invite", "--uses", "3", "--json"]).done();
    let link = made.json()["link"].as_str().expect("a link").to_owned();
    for list in [
        &["invitations", "list", "--json"][..],
        &["invitations", "--json"],
    ] {
        let listed = machine.cli(list).done().json();
        assert_eq!(listed[0]["id"], made.json()["id"]);
        assert_eq!(listed[0]["uses_left"], 3);
        assert_eq!(listed[0]["created_by"], "command line");
        assert!(!listed.to_string().contains(&link));
    }
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert!(
        machine
            .cli(&["invitations", "list"])
            .done()
            .out
            .contains(&id)
    );
    machine.cli(&["invitations", "revoke", &id]).done();
    let again = machine.cli(&["invitations", "revoke", &id]).failed();
    assert!(again.contains("no invitation"), "{again}");
    let (_, path) = link.split_once("/invitation/").expect("a link");
    let gone = machine.anonymous().get(&format!("/invitation/{path}"));
    assert_eq!(gone.status, 404);
    let trail = machine.cli(&["audit", "list", "--json"]).done().json();
    assert_eq!(trail[0]["event"], "invitation_revoke");
    assert_eq!(trail[0]["source"], "cli");
}

#[test]
fn what_is_wrong_makes_no_invitation() {
    let machine = Machine::new();
    for (wrong, told) in [
        (&["--uses", "0"][..], "1 to 10000"),
        (&["--email", "bob"], "An email address has"),
        (&["--email", "b@example.com", "--uses", "2"], "one account"),
        (&["--group", "a&b"], "A group name is"),
        (&["--expires", "500d"], "like 7d"),
    ] {
        let err = machine.cli(&[&["invite"], wrong].concat()).failed();
        assert!(err.contains(told), "{wrong:?}: {err}");
    }
    machine.cli(&["invite", "--expires", "soon"]).misused();
    machine.cli(&["invitations", "revoke", "x"]).misused();
    machine.cli(&["invitations", "revoke", ID]).failed();
    let listed = machine.cli(&["invitations", "--json"]).done().json();
    assert_eq!(listed, json!([]));
}
