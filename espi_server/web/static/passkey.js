// Passkeys, the one thing that needs a script: asks the browser for one and puts its answer into the form.
// Forms that need it are hidden until it runs, and beside each stands another way.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const described = (known) => (known || []).map((each) => ({ ...each, id: bytes(each.id) }));

async function made(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: described(options.excludeCredentials),
  };
  const found = await navigator.credentials.create({ publicKey });
  const { clientDataJSON, attestationObject } = found.response;
  const transports = found.response.getTransports ? found.response.getTransports() : [];
  return [found, { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject), transports }];
}

async function used(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: described(options.allowCredentials),
  };
  const found = await navigator.credentials.get({ publicKey });
  const names = ["clientDataJSON", "authenticatorData", "signature", "userHandle"].filter((each) => found.response[each]);
  return [found, Object.fromEntries(names.map((each) => [each, text(found.response[each])]))];
}

async function answer(form) {
  const options = JSON.parse(form.dataset.options);
  const [found, response] = await (form.dataset.passkey === "make" ? made(options) : used(options));
  return JSON.stringify({ id: found.id, rawId: text(found.rawId), type: found.type, response });
}

for (const form of window.PublicKeyCredential ? document.querySelectorAll("form[data-passkey]") : []) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.answer.value) return;
    event.preventDefault();
    const problem = form.querySelector("[role=status]");
    problem.textContent = "";
    try {
      form.elements.answer.value = await answer(form);
      form.submit();
    } catch (error) {
      problem.textContent = form.dataset.failed;
    }
  });
}
