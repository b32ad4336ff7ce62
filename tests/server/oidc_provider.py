"""A small provider of OpenID Connect, a process of its own: discovery, keys, a login form, codes, ID tokens.

It keeps the rules that a provider keeps: known client and redirect address, S256 challenge, codes for one use, its own
login session, `prompt=login` and `max_age`. `POST /fault` makes it break one, which its client must notice.
"""

import base64
import hashlib
import html
import json
import secrets
import socket
import sys
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.responses import Response

CLIENT, SECRET = "npcpit", "a secret of the tests"
USERS = {"anna": ("open sesame", "sub-anna"), "bert": ("open barley", "sub-bert"), "carl": ("open rye", "sub-carl")}


def unsigned(claims: dict[str, Any]) -> str:
    """A token of ``alg: none``."""
    parts = [json.dumps(each).encode() for each in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


class Provider:
    """What it knows: its keys, who is signed in, codes given out, and which rule it breaks."""

    def __init__(self, issuer: str) -> None:
        self.issuer, self.fault = issuer, ""
        self.keys = [self.new_key()]
        self.sessions: dict[str, tuple[str, int]] = {}
        self.codes: dict[str, dict[str, Any]] = {}

    @staticmethod
    def new_key() -> RSAKey:
        return RSAKey.generate_key(2048, parameters={"kid": secrets.token_hex(8), "use": "sig", "alg": "RS256"})

    def token(self, granted: dict[str, Any], access: str) -> str:
        """The ID token of a code, with the fault that is asked for."""
        now = int(time.time())
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims = {
            "iss": self.issuer, "sub": granted["sub"], "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": granted["nonce"], "auth_time": granted["auth_time"],
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }  # fmt: skip
        claims |= {
            "nonce": {"nonce": "another"}, "audience": {"aud": "another client"}, "issuer": {"iss": "https://evil.example"},
            "expired": {"iat": now - 900, "exp": now - 600}, "azp": {"aud": [CLIENT, "other"], "azp": "other"},
            "at-hash": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "future": {"iat": now + 900, "exp": now + 1200},
        }.get(self.fault, {})  # fmt: skip
        if self.fault == "no-nonce":
            del claims["nonce"]
        if self.fault == "alg-none":
            return unsigned(claims)
        if self.fault == "our-secret-as-key":
            return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])
        key = self.new_key() if self.fault == "unknown-key" else self.keys[-1]
        token = jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)
        return token[:-8] + "AAAAAAAA" if self.fault == "signature" else token


async def form_of(request: Request) -> dict[str, str]:
    """A form's fields."""
    return dict(parse_qsl((await request.body()).decode()))


def make_app(issuer: str) -> FastAPI:
    app, me = FastAPI(), Provider(issuer)

    @app.get("/.well-known/openid-configuration")
    def described() -> dict[str, Any]:
        return {
            "issuer": "https://evil.example" if me.fault == "discovery" else issuer,
            "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
        }  # fmt: skip

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in me.keys]}

    @app.post("/fault")
    async def fault(request: Request) -> None:
        me.fault = (await request.json())["fault"]
        if me.fault == "rotate":
            me.keys = [me.new_key()]

    @app.get("/authorize")
    def authorize(request: Request) -> Response:
        asked = dict(request.query_params)
        wrong = asked.get("client_id") != CLIENT or asked.get("response_type") != "code"
        if wrong or asked.get("code_challenge_method") != "S256" or "openid" not in asked.get("scope", "").split():
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        signed_in = me.sessions.get(request.cookies.get("idp", ""))
        again = asked.get("prompt") == "login" or asked.get("max_age") == "0"
        if signed_in is not None and (not again or me.fault == "lets-in-without-asking"):
            sub, when = signed_in
            return _grant(asked, sub, when - 600 if again else when)  # a login of ten minutes ago
        fields = "".join(f'<input type="hidden" name="{k}" value="{html.escape(v)}">' for k, v in asked.items())
        return HTMLResponse(
            f'<form method="post" action="/login">{fields}<input name="user"><input name="password">'
            "<button>Go</button></form>"
        )

    @app.post("/login")
    async def login(request: Request) -> Response:
        form = await form_of(request)
        password, sub = USERS.get(form.pop("user"), ("", ""))
        if not password or form.pop("password") != password:
            return HTMLResponse("wrong", status_code=401)
        cookie, when = secrets.token_urlsafe(16), int(time.time())
        me.sessions[cookie] = (sub, when)
        answer = _grant(form, sub, when)
        answer.set_cookie("idp", cookie, httponly=True)
        return answer

    def _grant(asked: dict[str, str], sub: str, when: int) -> Response:
        code = secrets.token_urlsafe(16)
        me.codes[code] = {**asked, "sub": sub, "auth_time": when}
        query = urlencode({"code": code, "state": asked["state"], "iss": issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{query}", status_code=303)

    @app.post("/token")
    async def token(request: Request) -> Response:
        form = await form_of(request)
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") != expected:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        granted = me.codes.pop(form.get("code", ""), None)  # for one use
        shown = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(shown).rstrip(b"=").decode()
        if granted is None or (granted["redirect_uri"], granted["code_challenge"]) != (form["redirect_uri"], challenge):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        access = secrets.token_urlsafe(16)
        return JSONResponse({"access_token": access, "token_type": "Bearer", "id_token": me.token(granted, access)})

    return app


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(make_app(url), log_level="error")).run(sockets=[listening])
    sys.exit()
