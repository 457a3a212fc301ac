//! The plan "RP-initiated logout".

use serde_json::Value;

use super::modules;

/// Signed out, and the browser went on to the application, with or without its state.
fn went_on(seen: &Value, state: Option<&str>) {
    assert_eq!(seen["to"], "https://app.example.com/bye", "{seen}");
    assert_eq!(seen["state"].as_str(), state, "{seen}");
    ended(seen);
}

fn ended(seen: &Value) {
    assert_eq!(seen["stays"], false, "{seen}");
    assert_eq!(seen["active"], false, "tokens end with the session: {seen}");
}

/// A page of ours, with the user still signed in: an error, or the question.
fn stays(seen: &Value, status: u16) {
    assert_eq!(seen["status"], status, "{seen}");
    assert_eq!(seen["stays"], true, "{seen}");
    assert_eq!(seen["active"], true, "{seen}");
}

modules! { "logout":
    rp_initiated_logout "rp-initiated-logout" |seen| { went_on(&seen, Some("a state")); }
    no_state "no-state" |seen| { went_on(&seen, None); }
    no_post_logout_redirect_uri "no-post-logout-redirect-uri" |seen| { ended(&seen); }
    bad_post_logout_redirect_uri "bad-post-logout-redirect-uri" |seen| { stays(&seen, 400); }
    query_added_to_post_logout_redirect_uri "query-added-to-post-logout-redirect-uri" |seen| {
        stays(&seen, 400);
    }
    modified_id_token_hint "modified-id-token-hint" |seen| { stays(&seen, 400); }
    bad_id_token_hint "bad-id-token-hint" |seen| { stays(&seen, 400); }
    /// Whose address it is cannot be told.
    no_id_token_hint "no-id-token-hint" |seen| { stays(&seen, 400); }
    no_params "no-params" |seen| { stays(&seen, 200); }
    only_state "only-state" |seen| { stays(&seen, 200); }
}
