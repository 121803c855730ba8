// A published OpenID provider, unmodified, that signs in whoever the test says: `node provider.mjs SETTINGS`, SETTINGS
// being JSON with client_id, client_secret and redirect_uri. Prints its issuer. POST /next with JSON tells who the next
// one is: accountId, claims, amr, acr, or refuses: true.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const settings = JSON.parse(process.argv[2])
let next = {}
const people = new Map()

function key (type, options, alg) {
  return { ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg }
}

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://localhost:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{
      client_id: settings.client_id,
      client_secret: settings.client_secret,
      redirect_uris: [settings.redirect_uri],
      id_token_signed_response_alg: settings.alg ?? 'RS256'
    }],
    jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
    cookies: { keys: ['a test'] },
    claims: { openid: ['sub', 'amr', 'acr'], email: ['email', 'email_verified'], customer: ['customer_number'] },
    scopes: ['openid', 'email', 'customer'],
    acrValues: ['urn:two'],
    conformIdTokenClaims: settings.conform ?? true,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (context, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...people.get(accountId) }) })
  })
  const serve = provider.callback()

  async function interact (request, response) {
    const details = await provider.interactionDetails(request, response)
    if (next.refuses) {
      return provider.interactionFinished(request, response, { error: 'access_denied' })
    }
    if (details.prompt.name === 'login') {
      const { accountId, claims, amr, acr } = next
      people.set(accountId, claims)
      return provider.interactionFinished(request, response, { login: { accountId, amr, acr, remember: true } })
    }
    const grant = new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id })
    grant.addOIDCScope(details.params.scope)
    const consent = { grantId: await grant.save() }
    return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
  }

  server.on('request', (request, response) => {
    if (request.url === '/next') {
      let body = ''
      request.on('data', (piece) => { body += piece })
      request.on('end', () => { next = JSON.parse(body); response.end() })
    } else if (request.url.startsWith('/interaction/')) {
      interact(request, response).catch((error) => { response.statusCode = 500; response.end(String(error.stack)) })
    } else {
      serve(request, response)
    }
  })
  process.stdout.write(`${issuer}\n`)
})
