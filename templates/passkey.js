// Asks the browser for a passkey, and sends what it answers as an ordinary form.
// The options stand in the page: Safari shows nothing if a request comes between the click and the call.
"use strict";
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = text =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), letter => letter.charCodeAt(0));
  const text = buffer =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withBytes = list => (list || []).map(item => ({ ...item, id: bytes(item.id) }));

  const optionsOf = form => {
    const options = JSON.parse(form.dataset.options);
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    if (options.allowCredentials) options.allowCredentials = withBytes(options.allowCredentials);
    if (options.excludeCredentials) options.excludeCredentials = withBytes(options.excludeCredentials);
    return options;
  };

  // By hand: toJSON() is young, and some password managers break it.
  const answerOf = ({ rawId, response }) => {
    const sent = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      sent.attestationObject = text(response.attestationObject);
      sent.transports = response.getTransports ? response.getTransports() : [];
    } else {
      sent.authenticatorData = text(response.authenticatorData);
      sent.signature = text(response.signature);
      if (response.userHandle) sent.userHandle = text(response.userHandle);
    }
    return JSON.stringify({ rawId: text(rawId), type: "public-key", response: sent });
  };

  const send = (form, credential) => {
    form.querySelector("[data-answer]").value = answerOf(credential);
    const chosen = document.getElementById("remember");
    if (form.elements.remember) form.elements.remember.disabled = !(chosen && chosen.checked);
    form.submit();
  };

  let waiting = null; // the request behind the autofill of the user name
  let asked = false;
  const ask = (form, more) => {
    const publicKey = optionsOf(form);
    const method = publicKey.user ? "create" : "get";
    return navigator.credentials[method]({ publicKey, ...more }).then(credential => send(form, credential));
  };

  for (const form of document.querySelectorAll("form[data-options]")) {
    const trouble = form.querySelector("[data-trouble]");
    const button = form.querySelector("[data-ask]");
    form.hidden = false;
    button.addEventListener("click", () => {
      asked = true;
      if (waiting) waiting.abort();
      trouble.hidden = true;
      ask(form).catch(error => {
        // Whoever changed their mind, or has no passkey here, was told so by the browser.
        trouble.hidden = error.name === "NotAllowedError" || error.name === "AbortError";
      });
    });
    if ("autofill" in form.dataset && PublicKeyCredential.isConditionalMediationAvailable) {
      PublicKeyCredential.isConditionalMediationAvailable().then(available => {
        if (!available || asked) return;
        waiting = new AbortController();
        ask(form, { mediation: "conditional", signal: waiting.signal }).catch(() => {});
      });
    }
  }
})();
