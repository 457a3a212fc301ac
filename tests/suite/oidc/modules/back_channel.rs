//! The plan "Back-channel logout".

use serde_json::json;

use super::modules;

modules! { "back_channel":
    backchannel_rp_initiated_logout "backchannel-rp-initiated-logout" |seen| {
        assert_eq!(seen["type"], "application/x-www-form-urlencoded");
        let (told, claims) = (&seen["payload"], &seen["claims"]);
        assert_eq!(told["sub"], claims["sub"]);
        assert_eq!(told["sid"], claims["sid"]);
        let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        assert_eq!(told["events"], events);
        let keys = json!(["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]);
        assert_eq!(seen["keys"], keys, "and no nonce");
    }
}
