//! What two nodes do at once, many times over: two services in one process, each with memory and connections of its own.

use rocket::tokio::join;
use vestibule::account::lifecycle;
use vestibule::foundation::audit::Actor;
use vestibule::people::passwords::Password;
use vestibule::people::users::{Changes, NewUser, Refused};

use crate::support::{PASSWORD, TestApp};

const TIMES: usize = 500;

const LIVE: &str = "SELECT CAST(count(*) AS TEXT) FROM sessions WHERE ended_at IS NULL";

async fn two(settings: &str) -> Option<[TestApp; 2]> {
    let nodes = TestApp::nodes(2, settings).await?;
    nodes.try_into().ok()
}

fn admin(username: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        admin: true,
        ..NewUser::default()
    }
}

/// The admins who can sign in.
async fn admins(app: &TestApp) -> Vec<String> {
    app.sql("SELECT username FROM users WHERE admin AND disabled_at IS NULL ORDER BY username")
        .await
}

#[rocket::async_test]
async fn nod_04_two_admins_who_disable_each_other_leave_one() {
    let Some([one, two]) = two("").await else {
        return;
    };
    for username in ["ada", "grace"] {
        one.add(admin(username)).await;
    }
    let actor = Actor::operator();
    for turn in 0..TIMES {
        let (ada, grace) = join!(
            lifecycle::disable(&one.app, &actor, "ada"),
            lifecycle::disable(&two.app, &actor, "grace")
        );
        let outcomes = [ada.expect("a database"), grace.expect("a database")];
        let refused = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(refused, 1, "turn {turn}");
        assert_eq!(admins(&one).await.len(), 1, "turn {turn}");
        for username in ["ada", "grace"] {
            let enabled = lifecycle::enable(&two.app, &actor, username).await;
            enabled.expect("a database").expect("a user");
        }
    }
}

#[rocket::async_test]
async fn nod_04_an_admin_who_steps_down_while_the_other_is_disabled_stays() {
    let Some([one, two]) = two("").await else {
        return;
    };
    let actor = Actor::operator();
    for username in ["ada", "grace"] {
        one.add(admin(username)).await;
    }
    let to_be = |admin| Changes {
        admin: Some(admin),
        ..Changes::default()
    };
    for turn in 0..TIMES {
        let (stepped_down, disabled) = join!(
            lifecycle::change(&one.app, &actor, "ada", to_be(false)),
            lifecycle::disable(&two.app, &actor, "grace")
        );
        let outcomes = [
            stepped_down.expect("a database").err(),
            disabled.expect("a database").err(),
        ];
        let refused: Vec<Refused> = outcomes.into_iter().flatten().collect();
        assert_eq!(refused, [Refused::LastAdmin], "turn {turn}");
        assert_eq!(admins(&one).await.len(), 1, "turn {turn}");
        let enabled = lifecycle::enable(&two.app, &actor, "grace").await;
        enabled.expect("a database").expect("a user");
        let again = lifecycle::change(&one.app, &actor, "ada", to_be(true)).await;
        again.expect("a database").expect("a user");
    }
}

#[rocket::async_test]
async fn nod_04_no_session_lives_by_a_password_that_another_node_has_changed() {
    let generous = "throttle.account_tries = 1000\nthrottle.address_tries = 10000\n";
    let Some([one, two]) = two(generous).await else {
        return;
    };
    one.user("alice").await;
    let passwords = [PASSWORD, "a lantern over wet cobblestones"];
    let mut signed_in = 0;
    for turn in 0..TIMES {
        let (old, new) = (passwords[turn % 2], passwords[(turn + 1) % 2]);
        let mut browser = one.anonymous();
        let new = Password::new(new.to_owned());
        let actor = Actor::operator();
        let (answer, set) = join!(
            browser.sign_in("alice", old),
            lifecycle::set_password(&two.app, &actor, "alice", &new)
        );
        set.expect("a database").expect("a user");
        signed_in += usize::from(answer.status == 303);
        assert_eq!(one.sql(LIVE).await, ["0"], "turn {turn}");
    }
    assert!(
        (1..TIMES).contains(&signed_in),
        "either was first at times: {signed_in}"
    );
}

#[rocket::async_test]
async fn nod_04_no_user_has_more_sessions_than_the_limit() {
    let Some([one, two]) = two("sessions.max_per_user = 2\n").await else {
        return;
    };
    one.user("alice").await;
    for turn in 0..TIMES {
        let (mut here, mut there) = (one.anonymous(), two.anonymous());
        let (here, there) = join!(
            here.sign_in("alice", PASSWORD),
            there.sign_in("alice", PASSWORD)
        );
        assert_eq!((here.status, there.status), (303, 303), "turn {turn}");
        assert_eq!(one.sql(LIVE).await, ["2"], "turn {turn}");
    }
}

#[rocket::async_test]
async fn nod_04_of_two_first_admins_one_is_made() {
    let Some([one, two]) = two("throttle.address_tries = 10000\n").await else {
        return;
    };
    for turn in 0..TIMES {
        let code = one.setup_code().await;
        let set_up = async |app: &TestApp, username: &str| {
            let fields = [
                ("code", code.as_str()),
                ("username", username),
                ("password", PASSWORD),
            ];
            app.anonymous().post("/setup", &fields).await.status
        };
        let (ada, grace) = join!(set_up(&one, "ada"), set_up(&two, "grace"));
        assert_eq!(admins(&one).await.len(), 1, "turn {turn}: {ada}, {grace}");
        one.execute("DELETE FROM users").await;
    }
}
