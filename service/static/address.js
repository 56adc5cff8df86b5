// Where the address has the key, as http://user:key@host/, a page cannot ask for anything, as all
// would be relative to it. It goes to the same address without: the browser keeps the key.

const address = new URL(document.baseURI);
if (address.username || address.password) {
  address.username = address.password = "";
  location.replace(address);
  // Nothing else of the page begins until it has gone.
  await new Promise(() => {});
}
