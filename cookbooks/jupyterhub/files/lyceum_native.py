"""Accounts of this hub's own: users sign up, an administrator admits them.

What it adds to nativeauthenticator: the administrators' accounts are there from
the first moment, with a password that only root on the hub can read. Without
that, whoever first signs up under an administrator's name is one.
"""

import bcrypt
from nativeauthenticator.nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from traitlets import Unicode


class LyceumNative(NativeAuthenticator):
    """Users sign up themselves, an administrator admits them."""

    admin_password_file = Unicode(
        "", config=True, help="A file with the administrators' first password."
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in sorted(self.admin_users):
            self._admit(self.normalize_username(name))

    def _admit(self, name):
        there = self.get_user(name)
        if there is not None and there.is_authorized:
            # The administrator's own password by now.
            return
        if there is not None:
            # Somebody signed up under the name before it was an administrator's.
            self.db.delete(there)
            self.db.commit()
        with open(self.admin_password_file, encoding="utf-8") as file:
            password = file.read().strip()
        if not password:
            raise ValueError(f"{self.admin_password_file} is empty")
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
        self.db.add(UserInfo(username=name, password=hashed, is_authorized=True))
        self.db.commit()
