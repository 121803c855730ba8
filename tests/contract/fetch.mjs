// Fetches a feed as a third party's Node program would: node fetch.mjs URL TOKEN ENCODING
const [url, token, encoding] = process.argv.slice(2);
const answer = await fetch(url, {
  headers: { Authorization: `Bearer ${token}`, "Accept-Encoding": encoding },
});
if (!answer.ok) throw new Error(`status ${answer.status}`);
process.stdout.write(Buffer.from(await answer.arrayBuffer()));
