// Asks a customer for data with a published client, unmodified: prints where the browser has to go, reads where it
// came back to, and prints what the client got. `node ask.mjs CLIENT SETTINGS`, SETTINGS being JSON with issuer,
// client_id, client_secret or key (a private JWK), redirect_uri and scope; to register, issuer, redirect_uri and
// invitation.
import { createInterface } from 'node:readline'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import simple from 'simple-oauth2'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function comesBack (url) {
  process.stdout.write(String(url) + '\n')
  return new URL((await lines.next()).value)
}

async function signedBy (jwk) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  return { key: await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['sign']), kid: jwk.kid }
}

const clients = {
  async oauth4webapi ({ issuer, client_id, client_secret, key, redirect_uri, scope }) {
    const plain = { [oauth.allowInsecureRequests]: true } // the test's server is on this machine
    const url = new URL(issuer)
    const as = await oauth.processDiscoveryResponse(
      url, await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...plain })
    )
    const client = { client_id }
    const auth = key ? oauth.PrivateKeyJwt(await signedBy(key)) : oauth.ClientSecretBasic(client_secret)
    const verifier = oauth.generateRandomCodeVerifier()
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
    const pushed = await oauth.processPushedAuthorizationResponse(as, client,
      await oauth.pushedAuthorizationRequest(as, client, auth, {
        redirect_uri, scope: `openid ${scope}`, state, nonce, response_type: 'code', code_challenge_method: 'S256',
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier)
      }, plain))
    const there = new URL(as.authorization_endpoint)
    there.search = new URLSearchParams({ client_id, request_uri: pushed.request_uri })
    const params = oauth.validateAuthResponse(as, client, await comesBack(there), state)
    const answer = await oauth.authorizationCodeGrantRequest(as, client, auth, params, redirect_uri, verifier, plain)
    const first = await oauth.processAuthorizationCodeResponse(as, client, answer, {
      expectedNonce: nonce, requireIdToken: true
    })
    await oauth.validateApplicationLevelSignature(as, answer, plain)
    const { sub, auth_time } = oauth.getValidatedIdTokenClaims(first)
    const user = await oauth.processUserInfoResponse(as, client, sub,
      await oauth.userInfoRequest(as, client, first.access_token, plain))
    const second = await oauth.processRefreshTokenResponse(as, client,
      await oauth.refreshTokenGrantRequest(as, client, auth, first.refresh_token, plain))
    const seen = await oauth.processIntrospectionResponse(as, client,
      await oauth.introspectionRequest(as, client, auth, second.access_token, plain))
    const own = await oauth.processClientCredentialsResponse(as, client,
      await oauth.clientCredentialsGrantRequest(as, client, auth, {}, plain))
    return { first, second, own, same: user.sub === sub, auth_time, active: seen.active }
  },

  async 'openid-client' ({ issuer, client_id, client_secret, redirect_uri, scope }) {
    const config = await openid.discovery(new URL(issuer), client_id, undefined,
      openid.ClientSecretBasic(client_secret), { execute: [openid.allowInsecureRequests] })
    openid.enableNonRepudiationChecks(config) // the signature of the id_token, too
    const verifier = openid.randomPKCECodeVerifier()
    const [state, nonce] = [openid.randomState(), openid.randomNonce()]
    const there = openid.buildAuthorizationUrl(config, {
      redirect_uri, scope: `openid ${scope}`, state, nonce, code_challenge_method: 'S256',
      code_challenge: await openid.calculatePKCECodeChallenge(verifier)
    })
    const first = await openid.authorizationCodeGrant(config, await comesBack(there), {
      pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true
    })
    const { sub, auth_time } = first.claims()
    const user = await openid.fetchUserInfo(config, first.access_token, sub)
    const second = await openid.refreshTokenGrant(config, first.refresh_token)
    const seen = await openid.tokenIntrospection(config, second.access_token)
    const own = await openid.clientCredentialsGrant(config)
    return { first, second, own, same: user.sub === sub, auth_time, active: seen.active }
  },

  async 'simple-oauth2' ({ issuer, client_id, client_secret, redirect_uri, scope }) {
    const { origin: tokenHost, pathname } = new URL(issuer)
    const machine = { client: { id: client_id, secret: client_secret }, auth: { tokenHost, tokenPath: `${pathname}/oauth/token` } }
    const client = new simple.AuthorizationCode({
      ...machine, auth: { ...machine.auth, authorizePath: `${pathname}/oauth/authorize` }
    })
    const back = await comesBack(client.authorizeURL({ redirect_uri, scope, state: 'mine' }))
    if (back.searchParams.get('state') !== 'mine') throw new Error('not my state')
    const first = await client.getToken({ code: back.searchParams.get('code'), redirect_uri, scope })
    const second = await first.refresh()
    const own = await new simple.ClientCredentials(machine).getToken({})
    return { first: first.token, second: second.token, own: own.token, same: true, active: true }
  },

  async 'openid-client registers' ({ issuer, redirect_uri, invitation }) {
    const stated = { client_name: 'By itself', redirect_uris: [redirect_uri] }
    const config = await openid.dynamicClientRegistration(new URL(issuer), stated, undefined, {
      execute: [openid.allowInsecureRequests], initialAccessToken: invitation
    })
    return config.clientMetadata()
  }
}

const [, , name, settings] = process.argv
process.stdout.write(JSON.stringify(await clients[name](JSON.parse(settings))) + '\n')
process.exit(0)
