// Passkeys: make one, come in with one, sign a choice with one. Pages work without this module:
// the letter's code does the same, and each page says so.

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (mark) => mark.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const listed = (keys) => (keys ?? []).map((key) => ({ ...key, id: bytes(key.id) }));

const make = async (options) => {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: listed(options.excludeCredentials),
    },
  });
  return {
    id: made.id,
    rawId: made.id,
    type: made.type,
    response: {
      attestationObject: text(made.response.attestationObject),
      clientDataJSON: text(made.response.clientDataJSON),
    },
  };
};

const ask = async (options) => {
  const given = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: listed(options.allowCredentials),
    },
  });
  return {
    id: given.id,
    rawId: given.id,
    type: given.type,
    response: {
      authenticatorData: text(given.response.authenticatorData),
      clientDataJSON: text(given.response.clientDataJSON),
      signature: text(given.response.signature),
    },
  };
};

const send = async (address, token, body) => {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};

// A part of the page with data-passkey is hidden until we know that this browser can do it.
const prepare = (part) => {
  const button = part.querySelector("button[data-act]");
  const said = part.querySelector("[role=status]");
  const token = part.querySelector("input[name=csrf_token]").value;
  part.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.textContent = "";
    try {
      const options = await send(part.dataset.options, token, {});
      const made = part.dataset.passkey === "make" ? await make(options) : await ask(options);
      window.location.assign((await send(part.dataset.finish, token, made)).next);
    } catch {
      said.textContent = part.dataset.failed;
      button.disabled = false;
    }
  });
};

// The check page: the passkey signs what the page shows, then the form goes as usual.
const prepareSigning = (part) => {
  const form = part.closest("form");
  const answer = form.querySelector("input[name=signed_answer]");
  const button = part.querySelector("button[data-act]");
  const said = part.querySelector("[role=status]");
  part.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.textContent = "";
    try {
      answer.value = JSON.stringify(await ask(JSON.parse(part.dataset.options)));
      form.requestSubmit();
    } catch {
      said.textContent = part.dataset.failed;
      button.disabled = false;
    }
  });
};

if (window.PublicKeyCredential) {
  document.querySelectorAll("[data-passkey]").forEach(prepare);
  document.querySelectorAll("[data-passkey-sign]").forEach(prepareSigning);
}
