//! The plan "Config OP"; the sign-out plans ask for what discovery says of them.

use serde_json::Value;

use super::modules;

modules! { "config":
    discovery_endpoint_verification "discovery-endpoint-verification" |seen| {
        let metadata = &seen["metadata"];
        assert_eq!(metadata["issuer"], seen["issuer"]);
        for endpoint in [
            "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint",
        ] {
            let address = metadata[endpoint].as_str().expect(endpoint);
            assert!(address.starts_with(seen["issuer"].as_str().expect("an issuer")), "{address}");
        }
        assert_eq!(metadata["request_uri_parameter_supported"], false);
        assert_eq!(metadata["backchannel_logout_supported"], true);
        assert_eq!(metadata["backchannel_logout_session_supported"], true);
        let keys = seen["keys"].as_array().expect("keys");
        assert!(keys.iter().all(|key| key["kid"].is_string() && key["d"] == Value::Null), "{seen}");
    }
}
