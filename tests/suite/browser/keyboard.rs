use super::{signed_in, signed_up};
use crate::support::PASSWORD;

// As WebDriver writes them: https://www.w3.org/TR/webdriver2/#keyboard-actions
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

#[rocket::async_test]
async fn one_signs_in_without_a_mouse_from_the_first_key_on() {
    let Some((server, browser)) = signed_up().await else {
        return;
    };
    browser.visit(&server.url("/login")).await;
    browser.types(&format!("alice{TAB}")).await;
    browser.types(PASSWORD).await;
    browser.types(TAB).await;
    browser.types(" ").await;
    browser.types(ENTER).await;
    browser.arrives_at(&server.url("/account")).await;
    let browser = browser.reopened().await;
    browser.visit(&server.url("/account")).await;
    browser.arrives_at(&server.url("/account")).await;
}

#[rocket::async_test]
async fn the_focus_can_be_seen_on_each_thing_that_takes_it() {
    let Some((server, browser)) = signed_in(false).await else {
        return;
    };
    for path in ["/login?switch", "/account", "/account/password", "/logout"] {
        browser.visit(&server.url(path)).await;
        let stops = browser.run("return document.querySelectorAll('a, button, input:not(.unseen, [type=hidden]), summary').length").await;
        let stops = stops.as_u64().expect("a number");
        assert!(stops > 1, "{path}");
        for _ in 0..stops {
            browser.types(TAB).await;
            let outline = browser
                .run("const focused = document.activeElement; return focused === document.body ? 'nothing' : getComputedStyle(focused).outlineStyle")
                .await;
            assert!(
                outline == "solid" || outline == "nothing",
                "{path}: {} has no outline",
                browser.focused().await.html(false).await.unwrap()
            );
        }
    }
}
