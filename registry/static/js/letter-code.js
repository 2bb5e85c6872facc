// A letter's QR code opens this page with the code behind a "#", which no browser sends to a server.
// Put it into the field, and take it out of the address and the history.

const field = document.getElementById("code");
const code = decodeURIComponent(window.location.hash.slice(1));

if (field && /^[0-9A-Za-z -]{20,40}$/.test(code)) {
  field.value = code;
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
}
