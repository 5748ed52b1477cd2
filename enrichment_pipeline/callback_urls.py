"""The URL at which a provider posts an answer, and the token in it by which it is let in.

Here: making a token and knowing it again. Not here: serving the URL (`receiver/`),
and asking for an answer there (`dispatch/`). The provider signs nothing, so the
URL itself is the secret: it is never logged.
"""

import hashlib
import hmac
from dataclasses import dataclass

from pydantic import SecretStr

CALLBACK_PATH = "/callbacks/{provider}/{batch}/{token}"


@dataclass(frozen=True)
class CallbackKeys:
    """The secrets that make tokens. The first one signs; each of them is accepted."""

    secrets: tuple[SecretStr, ...]

    def token(self, provider: str, batch_id: str) -> str:
        return _token(self.secrets[0], provider, batch_id)

    def accepts(self, provider: str, batch_id: str, token: str) -> bool:
        """Whether the token is this batch's. Takes as long for a wrong one as for a right one."""
        given = token.encode()
        matches = [
            hmac.compare_digest(given, _token(secret, provider, batch_id).encode())
            for secret in self.secrets
        ]
        return any(matches)


@dataclass(frozen=True)
class Callbacks:
    """The receiver's public base URL, and what its tokens are made with."""

    base_url: str
    keys: CallbackKeys

    def url(self, provider: str, batch_id: str) -> str:
        token = self.keys.token(provider, batch_id)
        return self.base_url + CALLBACK_PATH.format(provider=provider, batch=batch_id, token=token)


def _token(secret: SecretStr, provider: str, batch_id: str) -> str:
    message = f"{provider}/{batch_id}".encode()
    return hmac.new(secret.get_secret_value().encode(), message, hashlib.sha256).hexdigest()
