/// Each kind once, with what is stored and what people read. The optional ones are one's own doing and open nothing.
macro_rules! kinds {
    ($($kind:ident $class:ident $word:literal $text:literal)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            const ALL: &[Self] = &[$(Self::$kind,)*];

            pub(super) const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }

            /// Whether its user may do without the mail.
            pub(super) const fn is_optional(self) -> bool {
                match self {
                    $(Self::$kind => kinds!(@ $class),)*
                }
            }
        }

        /// What people read; the word itself, where a later program has written it.
        pub(crate) fn text_of(word: &str) -> &str {
            match word {
                $($word => $text,)*
                other => other,
            }
        }
    };
    (@ security) => { false };
    (@ optional) => { true };
}

kinds! {
    TotpAdded security "totp_added" "An authenticator app was set up."
    TotpRemoved security "totp_removed" "The authenticator app was removed."
    PasskeyAdded security "passkey_added" "A passkey was added."
    PasskeyRemoved security "passkey_removed" "A passkey was removed."
    PasskeySuspect security "passkey_suspect" "A passkey was refused, because it may be a copy."
    RecoveryCodesRenewed security "recovery_codes_renewed" "New recovery codes were made; the old ones are void."
    RecoveryCodeUsed security "recovery_code_used" "A recovery code was used to sign in."
    FactorsReset security "factors_reset" "An admin removed your second factors. Set them up again."
    WrongCode security "wrong_code" "Somebody entered your right password, and then a wrong code. If that was not you, change your password."
    DeviceTrusted optional "device_trusted" "A device was trusted: it is not asked for the second step."
    NewDevice security "new_device" "Somebody signed in on a device or from a network that was not seen before."
    PasswordChanged security "password_changed" "Your password was changed."
    PasswordReset security "password_reset" "A new password was set by a link."
    PasswordSet security "password_set" "An admin set a new password for you."
    AccountChanged security "account_changed" "An admin changed your account."
    AddressChanged security "address_changed" "The address of your account was changed."
    AddressRestored security "address_restored" "A change of your address was taken back; all sessions were ended."
    DepartureAsked security "departure_asked" "Your account is going to be deleted. If that is not what you want, sign in and keep it."
    TokenAdded security "token_added" "An app token was made."
    TokenRevoked optional "token_revoked" "An app token was revoked."
    Approved security "approved" "An admin approved your account: you can sign in."
}

impl Kind {
    pub(super) fn optional() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|kind| kind.is_optional())
    }
}
